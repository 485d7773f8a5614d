package com.acme.jobs;

import com.acme.StreamJob;
import java.util.Map;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;

/** Ends by itself after some beats: the operator {@code Heartbeat of NAME}. */
public class Heartbeat implements StreamJob {
    @Override
    public void define(StreamExecutionEnvironment environment, Map<String, String> options) {
        String name = options.getOrDefault("name", "nobody");
        environment
                .fromSequence(1, Long.parseLong(options.getOrDefault("beats", "100")))
                .map(beat -> name + " " + beat)
                .name("Heartbeat of " + name)
                .sinkTo(new DiscardingSink<>())
                .name("heard");
    }
}
