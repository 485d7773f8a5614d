package com.example;

import org.apache.flink.table.functions.ScalarFunction;

/** A user's SQL function for tests. */
public final class Shout extends ScalarFunction {
    private static final long serialVersionUID = 1;

    public String eval(String word) {
        return word + "!";
    }
}
