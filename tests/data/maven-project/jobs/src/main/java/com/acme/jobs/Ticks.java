package com.acme.jobs;

import org.apache.flink.streaming.api.functions.source.SourceFunction;

/** Counts up, slowly, until it is cancelled. No job: the launcher refuses it. */
class Ticks implements SourceFunction<Long> {
    private static final long serialVersionUID = 1L;

    private final long pause;
    private volatile boolean running = true;

    Ticks(long pause) {
        this.pause = pause;
    }

    @Override
    public void run(SourceContext<Long> context) throws Exception {
        for (long number = 0; running; number++) {
            context.collect(number);
            Thread.sleep(pause);
        }
    }

    @Override
    public void cancel() {
        running = false;
    }
}
