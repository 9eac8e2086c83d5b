package tenure;

import java.util.concurrent.*;

/** Named checks, counted; a check that hangs fails after a while. */
final class Checks {
  private static int passed = 0;
  private static int failed = 0;
  private static final ExecutorService runner = Executors.newCachedThreadPool(run -> {
    Thread thread = new Thread(run);
    thread.setDaemon(true);
    return thread;
  });

  private Checks() {}

  interface Check { void run() throws Exception; }

  interface Condition { boolean holds() throws Exception; }

  static void check(String name, Check check) {
    Future<?> outcome = runner.submit(() -> { check.run(); return null; });
    try {
      outcome.get(90, TimeUnit.SECONDS);
      passed++;
      System.out.println("ok " + name);
    } catch (Throwable cause) {
      failed++;
      outcome.cancel(true);
      Throwable why = cause instanceof ExecutionException ? cause.getCause() : cause;
      System.out.println("not ok " + name + ": " + why);
      why.printStackTrace(System.out);
    }
  }

  static void must(boolean holds, String what) {
    if (!holds) throw new AssertionError(what);
  }

  static void eventually(String what, Condition condition) throws Exception {
    long end = System.nanoTime() + 30_000_000_000L;
    while (!condition.holds()) {
      must(System.nanoTime() < end, "not within 30 s: " + what);
      Thread.sleep(100);
    }
  }

  /** Ends the program. */
  static void report() {
    System.out.println(passed + " passed, " + failed + " failed");
    System.exit(failed == 0 ? 0 : 1);
  }
}
