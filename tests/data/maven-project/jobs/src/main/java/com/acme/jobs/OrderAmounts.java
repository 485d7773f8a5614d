package com.acme.jobs;

import com.acme.StreamJob;
import java.util.Map;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;

/** Keeps large orders: the operator {@code OrderAmounts above N}. */
public class OrderAmounts implements StreamJob {
    @Override
    public void define(StreamExecutionEnvironment environment, Map<String, String> options) {
        long least = Long.parseLong(options.getOrDefault("least", "100"));
        environment
                .addSource(new Ticks(Long.parseLong(options.getOrDefault("pause", "50"))))
                .name("orders")
                .filter(amount -> amount >= least)
                .name("OrderAmounts above " + least)
                .sinkTo(new DiscardingSink<>())
                .name("large orders");
    }
}
