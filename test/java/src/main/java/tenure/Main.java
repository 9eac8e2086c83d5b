package tenure;

/** Everything, one after the other, against the cluster named by the first argument. */
public final class Main {
  private Main() {}

  public static void main(String[] args) throws Exception {
    ClientTest.run(args[0]);
    AdminTest.run(args[0]);
    TransactionTest.run(args[0]);
    ConsumerGroupTest.run(args[0]);
    ShareGroupTest.run(args[0]);
    Checks.report();
  }
}
