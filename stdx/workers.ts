/** Work that others do while the event loop goes on. */
export interface Workers {
  /**
   * Does a job; what it consists of can be copied to another thread.
   * @param moved memory in it that is handed over instead of copied
   * @param owner of whom it is: owners have their turns one after the other
   */
  run(job: object, moved: readonly ArrayBufferLike[], owner: object): Promise<unknown>;
}

/** Jobs that wait, one of each owner at a time. */
export class FairQueue<Job> {
  private readonly byOwner = new Map<object, Job[]>();
  size = 0;

  push(owner: object, job: Job): void {
    this.size++;
    const jobs = this.byOwner.get(owner);
    if (jobs === undefined) this.byOwner.set(owner, [job]);
    else jobs.push(job);
  }

  shift(): Job | null {
    for (const [owner, jobs] of this.byOwner) {
      // To the end of the line, if more of this owner's is waiting.
      this.byOwner.delete(owner);
      const job = jobs.shift() as Job;
      if (jobs.length > 0) this.byOwner.set(owner, jobs);
      this.size--;
      return job;
    }
    return null;
  }
}

/** Does everything by itself, a moment later: for tests and simulations. */
export function workersInPlace(work: (job: never) => unknown): Workers {
  return {
    run: (job) => Promise.resolve().then(() => work(job as never)),
  };
}
