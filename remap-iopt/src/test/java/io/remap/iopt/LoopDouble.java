package io.remap.iopt;

import java.util.concurrent.Executor;
import java.util.concurrent.LinkedBlockingQueue;

/** An event loop as an engine sees it: tasks on one {@link LoopThread}, what they collect handed over when there are no more. */
final class LoopDouble implements Executor, AutoCloseable {
    private final LinkedBlockingQueue<Runnable> tasks = new LinkedBlockingQueue<>();
    private final LoopThread thread = new LoopThread(this::run, "loop");
    private volatile boolean closed;

    LoopDouble() {
        thread.setDaemon(true);
        thread.start();
    }

    LoopThread thread() {
        return thread;
    }

    private void run() {
        try {
            while (!closed) {
                tasks.take().run();
                for (Runnable more = tasks.poll(); more != null; more = tasks.poll()) {
                    more.run();
                }
                thread.handOver();
            }
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    @Override
    public void execute(Runnable task) {
        tasks.add(task);
    }

    @Override
    public void close() {
        closed = true;
        tasks.add(() -> {});
    }
}
