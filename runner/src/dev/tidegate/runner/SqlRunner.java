package dev.tidegate.runner;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;

import org.apache.flink.api.common.RuntimeExecutionMode;
import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.ExecutionOptions;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.StatementSet;
import org.apache.flink.table.api.TableEnvironment;

/**
 * The main class of every SQL job: runs statements that tidegate has rendered, split and classified.
 *
 * <p>Arguments: {@code --mode batch|streaming} (optional), then any number of {@code --statement KIND BASE64URL}:
 *
 * <ul>
 *   <li>{@code set}: {@code key NUL value}, {@code reset}: {@code key}, where an empty one means all;
 *   <li>{@code define}: a statement that starts no job;
 *   <li>{@code insert}: part of the one job that is submitted at the end;
 *   <li>{@code execute}: a statement that submits the job itself, such as CREATE TABLE AS SELECT.
 * </ul>
 *
 * <p>A failure is named by the number of its statement, from 0, and never by its text, which may hold secrets:
 * {@code TIDEGATE_STATEMENT n}, {@code TIDEGATE_EXECUTE} for all inserts together, {@code TIDEGATE_USAGE why}. tidegate
 * reads these words. One class, Java 8 and only API that did not change from Flink 1.15 to 2.3.
 */
public final class SqlRunner {

    private static final String MODE_KEY = ExecutionOptions.RUNTIME_MODE.key();

    private final List<String> kinds = new ArrayList<>();
    private final List<String> texts = new ArrayList<>();
    /** Null where neither the arguments nor a SET decide: then the cluster's configuration does. */
    private String mode;

    private SqlRunner(String[] args) {
        String wanted = null;
        int jobs = 0;
        for (int i = 0; i < args.length; ) {
            if (args[i].equals("--mode") && i + 1 < args.length) {
                wanted = args[i + 1];
                mode = wanted;
                i += 2;
            } else if (args[i].equals("--statement") && i + 2 < args.length) {
                String kind = args[i + 1];
                String text = decode(args[i + 2], texts.size());
                if (kind.equals("set") && text.indexOf('\0') < 0) {
                    throw usage("the set statement " + texts.size() + " has no value");
                } else if (kind.equals("set") && isMode(keyOf(text))) {
                    mode = valueOf(text);
                } else if (kind.equals("reset") && (text.isEmpty() || isMode(text))) {
                    mode = wanted;
                } else if (kind.equals("execute")) {
                    jobs++;
                } else if (!kind.equals("set") && !kind.equals("reset") && !kind.equals("define") && !kind.equals("insert")) {
                    throw usage("statement " + texts.size() + " is of an unknown kind");
                }
                kinds.add(kind);
                texts.add(text);
                i += 3;
            } else {
                throw usage("argument " + i + " is unknown or incomplete"
                        + (args[i].matches("--[a-z-]{1,40}") ? ": " + args[i] : ""));
            }
        }
        // The second job would be refused by Flink when the first one already runs.
        if (jobs > 1 || jobs == 1 && kinds.contains("insert")) {
            throw usage("more than one job in one run");
        }
    }

    /** Runs the statements in order, then submits the inserts as one job. */
    public static void main(String[] args) {
        new SqlRunner(args).run();
    }

    private void run() {
        TableEnvironment environment = environment();
        Configuration configuration = environment.getConfig().getConfiguration();
        Map<String, String> initial = configuration.toMap();
        StatementSet inserts = environment.createStatementSet();
        for (int i = 0; i < texts.size(); i++) {
            String text = texts.get(i);
            try {
                switch (kinds.get(i)) {
                    case "set":
                        set(configuration, keyOf(text), valueOf(text));
                        break;
                    case "reset":
                        reset(configuration, text, initial);
                        break;
                    case "insert":
                        inserts.addInsertSql(text);
                        break;
                    case "execute":
                        submitOnly(configuration);
                        environment.executeSql(text);
                        break;
                    default:
                        environment.executeSql(text);
                }
            } catch (Exception | LinkageError | StackOverflowError failure) {
                throw new RuntimeException("TIDEGATE_STATEMENT " + i, failure);
            }
        }
        if (kinds.contains("insert")) {
            try {
                submitOnly(configuration);
                inserts.execute();
            } catch (Exception | LinkageError | StackOverflowError failure) {
                throw new RuntimeException("TIDEGATE_EXECUTE", failure);
            }
        }
    }

    /** The mode of a table environment is fixed when it is made, so it is known before the first statement runs. */
    private TableEnvironment environment() {
        EnvironmentSettings.Builder settings = EnvironmentSettings.newInstance();
        if (mode == null) {
            TableEnvironment asConfigured = TableEnvironment.create(settings.build());
            // The settings do not look at the cluster's configuration: its batch would meet a planner for streams.
            if (asConfigured.getConfig().get(ExecutionOptions.RUNTIME_MODE) != RuntimeExecutionMode.BATCH) {
                return asConfigured;
            }
            settings.inBatchMode();
        } else if (mode.equalsIgnoreCase("batch")) {
            settings.inBatchMode();
        } else if (mode.equalsIgnoreCase("streaming")) {
            settings.inStreamingMode();
        } else {
            throw usage(MODE_KEY + " is neither batch nor streaming");
        }
        return TableEnvironment.create(settings.build());
    }

    private static void set(Configuration configuration, String key, String value) {
        if (!isMode(key)) {
            configuration.setString(key, value);
        }
    }

    /** What the cluster configures is a layer below this one and shows again when a key is gone from here. */
    private static void reset(Configuration configuration, String key, Map<String, String> initial) {
        if (key.isEmpty()) {
            for (String each : new TreeSet<>(configuration.keySet())) {
                reset(configuration, each, initial);
            }
        } else if (initial.containsKey(key)) {
            configuration.setString(key, initial.get(key));
        } else {
            configuration.removeConfig(ConfigOptions.key(key).stringType().noDefaultValue());
        }
    }

    /** Waiting is tidegate's: Flink's own wait fails behind the REST API, when the job already runs. */
    private static void submitOnly(Configuration configuration) {
        configuration.setString("table.dml-sync", "false");
    }

    private static boolean isMode(String key) {
        return key.equals(MODE_KEY);
    }

    private static String keyOf(String text) {
        return text.substring(0, text.indexOf('\0'));
    }

    private static String valueOf(String text) {
        return text.substring(text.indexOf('\0') + 1);
    }

    private static String decode(String text, int statement) {
        try {
            return new String(Base64.getUrlDecoder().decode(text), StandardCharsets.UTF_8);
        } catch (IllegalArgumentException failure) {
            // Without the cause: its message repeats a character of the text.
            throw usage("statement " + statement + " is not base64url");
        }
    }

    private static RuntimeException usage(String why) {
        return new IllegalArgumentException("TIDEGATE_USAGE " + why);
    }
}
