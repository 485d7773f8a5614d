package com.example;

import java.util.Arrays;

import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/** One launcher, many jobs: the first argument names the class of the job, the rest is for it. */
public final class Launcher {

    private Launcher() {}

    public static void main(String[] args) throws Exception {
        Job job = (Job) Class.forName(args[0]).getDeclaredConstructor().newInstance();
        StreamExecutionEnvironment environment = StreamExecutionEnvironment.getExecutionEnvironment();
        job.build(environment, Arrays.copyOfRange(args, 1, args.length));
        environment.execute();
    }

    /** What each job class is. */
    interface Job {
        void build(StreamExecutionEnvironment environment, String[] options);
    }

    /** A bounded job that names its operator after its class and its options. */
    abstract static class Named implements Job {
        @Override
        public void build(StreamExecutionEnvironment environment, String[] options) {
            environment
                    .fromSequence(1, 10)
                    .print()
                    .name(getClass().getSimpleName() + " <" + String.join("|", options) + ">");
        }
    }
}

final class Orders extends Launcher.Named {}

final class Clicks extends Launcher.Named {}

final class Users extends Launcher.Named {}

final class Payments extends Launcher.Named {}

final class Audit extends Launcher.Named {}
