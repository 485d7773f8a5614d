package com.acme.jobs;

import com.acme.StreamJob;
import java.util.Map;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;

/** Counts clicks by user: the operator {@code UserBehavior by user}. */
public class UserBehavior implements StreamJob {
    @Override
    public void define(StreamExecutionEnvironment environment, Map<String, String> options) {
        long users = Long.parseLong(options.getOrDefault("users", "10"));
        environment
                .addSource(new Ticks(Long.parseLong(options.getOrDefault("pause", "50"))))
                .name("clicks")
                .map(number -> number % users)
                .name("UserBehavior by user")
                .sinkTo(new DiscardingSink<>())
                .name("counted for " + users + " users");
    }
}
