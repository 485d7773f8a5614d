package com.example;

import org.apache.flink.api.common.functions.MapFunction;
import org.apache.flink.api.common.functions.RichMapFunction;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.functions.KeySelector;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/**
 * Counts numbers by key and prints the counts: a user's job for tests, for Flink 1.17 to 2.3.
 *
 * <p>{@code --rate N} numbers a second and subtask (10), {@code --name TEXT} the job's name (count), {@code --count N}
 * ends after N numbers (without: never), {@code --fail-at N} fails at the number N (without: never).
 */
public final class CountJob {

    private CountJob() {}

    public static void main(String[] args) throws Exception {
        long rate = 10;
        long count = Long.MAX_VALUE;
        long failAt = -1;
        String name = "count";
        for (int i = 0; i < args.length; i += 2) {
            if (i + 1 == args.length) {
                throw new IllegalArgumentException(args[i] + " has no value");
            }
            String value = args[i + 1];
            switch (args[i]) {
                case "--rate":
                    rate = Long.parseLong(value);
                    break;
                case "--count":
                    count = Long.parseLong(value);
                    break;
                case "--fail-at":
                    failAt = Long.parseLong(value);
                    break;
                case "--name":
                    name = value;
                    break;
                default:
                    throw new IllegalArgumentException("unknown option " + args[i]);
            }
        }
        StreamExecutionEnvironment environment = StreamExecutionEnvironment.getExecutionEnvironment();
        environment
                .fromSequence(0, count - 1)
                .uid("numbers")
                .map(new Pace(rate, failAt))
                .uid("pace")
                .keyBy(new ByRemainder(), Types.LONG)
                .map(new Count())
                .uid("count")
                .print()
                .uid("print");
        environment.execute(name);
    }

    /** Lets `rate` numbers a second pass, and fails at one of them. */
    private static final class Pace implements MapFunction<Long, Long> {
        private static final long serialVersionUID = 1;
        private final long rate;
        private final long failAt;

        private Pace(long rate, long failAt) {
            this.rate = rate;
            this.failAt = failAt;
        }

        @Override
        public Long map(Long number) throws Exception {
            if (number == failAt) {
                throw new IllegalStateException("reached the number " + number);
            }
            Thread.sleep(1000 / rate);
            return number;
        }
    }

    private static final class ByRemainder implements KeySelector<Long, Long> {
        private static final long serialVersionUID = 1;

        @Override
        public Long getKey(Long number) {
            return number % 4;
        }
    }

    /** Keeps a count for each key, and is the job's state. `open` has another signature in 1.x than in 2.x. */
    private static final class Count extends RichMapFunction<Long, String> {
        private static final long serialVersionUID = 1;

        @Override
        public String map(Long number) throws Exception {
            ValueState<Long> state = getRuntimeContext().getState(new ValueStateDescriptor<>("count", Types.LONG));
            long count = state.value() == null ? 1 : state.value() + 1;
            state.update(count);
            return number % 4 + ": " + count;
        }
    }
}
