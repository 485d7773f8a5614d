package com.acme;

import java.util.Map;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/** A streaming job that the launcher starts by the name of its class. */
public interface StreamJob {
    /** Adds the job's sources, operators and sinks. Options are those of the command line. */
    void define(StreamExecutionEnvironment environment, Map<String, String> options) throws Exception;
}
