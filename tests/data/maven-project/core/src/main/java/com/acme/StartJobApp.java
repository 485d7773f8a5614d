package com.acme;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/**
 * Starts one of many jobs: {@code StartJobApp com.acme.jobs.UserBehavior --key value ...}. The class is found by its full
 * name, made by its constructor without parameters, and the Flink job has its simple name.
 */
public final class StartJobApp {
    private StartJobApp() {}

    public static void main(String[] arguments) throws Exception {
        if (arguments.length == 0) {
            throw new IllegalArgumentException("which job? StartJobApp CLASS [--key value ...]");
        }
        StreamJob job = (StreamJob) Class.forName(arguments[0]).getDeclaredConstructor().newInstance();
        StreamExecutionEnvironment environment = StreamExecutionEnvironment.getExecutionEnvironment();
        job.define(environment, options(Arrays.copyOfRange(arguments, 1, arguments.length)));
        environment.execute(job.getClass().getSimpleName());
    }

    static Map<String, String> options(String[] words) {
        Map<String, String> options = new LinkedHashMap<>();
        for (int index = 0; index < words.length; index += 2) {
            if (!words[index].startsWith("--") || index + 1 == words.length) {
                throw new IllegalArgumentException("not --key value: " + words[index]);
            }
            options.put(words[index].substring(2), words[index + 1]);
        }
        return options;
    }
}
