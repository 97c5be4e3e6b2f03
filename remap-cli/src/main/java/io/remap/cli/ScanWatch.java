package io.remap.cli;

import io.remap.api.Refusal;
import io.remap.cli.control.ControlClient;
import java.io.PrintWriter;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** Follows a scan to the end of its pass, with a bar on standard error if that is a terminal. */
final class ScanWatch {
    private static final long LOOK_MILLIS = 300;
    private static final int BAR_CHARS = 30;
    private static final String CLEAR_LINE = "\r\u001b[K";

    private final ControlClient client;
    private final Map<String, Object> which;
    private final PrintWriter err;
    private final boolean bar = Terminal.isTerminal(2);
    private final CountDownLatch never = new CountDownLatch(1);

    /** @param which arguments that choose the disk */
    ScanWatch(ControlClient client, Map<String, Object> which, PrintWriter err) {
        this.client = client;
        this.which = which;
        this.err = err;
    }

    /** Waits until the pass of {@code first} is not under way any more; the last status that was seen. */
    Map<?, ?> untilDone(Map<?, ?> first) throws Refusal, InterruptedException {
        Map<?, ?> status = first;
        while (StatusText.text(status, "state").equals("running")
                && StatusText.number(status, "pass") == StatusText.number(first, "pass")) {
            show(line(status));
            boolean over = never.await(LOOK_MILLIS, TimeUnit.MILLISECONDS);
            if (over) {
                break;
            }
            status = (Map<?, ?>) client.call("scan.status", which, Services.ANSWER_MILLIS);
        }
        show("");
        return status;
    }

    private void show(String line) {
        if (bar) {
            err.print(CLEAR_LINE + line);
            err.flush();
        }
    }

    /** For example {@code [#####     ]  52.1 %  38.2 MB/s  1 h 12 min left}. */
    static String line(Map<?, ?> status) {
        double percent = ((Number) status.get("percent")).doubleValue();
        int full = (int) (percent / 100 * BAR_CHARS);
        String trouble = StatusText.text(status, "trouble");
        return "[" + "#".repeat(full) + " ".repeat(BAR_CHARS - full) + "] "
                + String.format(Locale.ROOT, "%5.1f %%  ", percent)
                + ScanText.rate(status) + "  " + ScanText.left(status)
                + (trouble.isEmpty() ? "" : "  waits: " + trouble);
    }
}
