/** Threads of this process that run one program: each has one job at a time, the others wait. */
import { Worker } from 'node:worker_threads';
import { FairQueue, type Workers } from './workers.ts';

interface Waiting {
  readonly job: object;
  readonly moved: readonly ArrayBufferLike[];
  readonly resolve: (result: unknown) => void;
  readonly reject: (cause: unknown) => void;
}

export interface ThreadOptions {
  readonly program: URL;
  readonly countMax: number;
}

/** A thread ended in the middle of a job. */
export class ThreadEnded extends Error {}

export class WorkerThreads implements Workers {
  private readonly options: ThreadOptions;
  private readonly idle: Worker[] = [];
  private readonly queue = new FairQueue<Waiting>();
  private readonly busy = new Map<Worker, Waiting>();
  private count = 0;

  constructor(options: ThreadOptions) {
    this.options = options;
  }

  run(job: object, moved: readonly ArrayBufferLike[], owner: object): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.queue.push(owner, { job, moved, resolve, reject });
      this.next();
    });
  }

  private next(): void {
    while (this.queue.size > 0) {
      const worker = this.idle.pop() ?? (this.count < this.options.countMax ? this.begin() : null);
      if (worker === null) return;
      const waiting = this.queue.shift() as Waiting;
      this.busy.set(worker, waiting);
      worker.ref();
      worker.postMessage(waiting.job, waiting.moved as ArrayBuffer[]);
    }
  }

  /** A thread is begun when there is work for it; an idle one does not keep the process. */
  private begin(): Worker {
    const worker = new Worker(this.options.program);
    this.count++;
    worker.on('message', (result: unknown) => {
      const waiting = this.busy.get(worker);
      this.busy.delete(worker);
      worker.unref();
      this.idle.push(worker);
      waiting?.resolve(result);
      this.next();
    });
    let cause: unknown = null;
    worker.on('error', (error) => {
      cause = error;
    });
    worker.on('exit', () => {
      this.count--;
      const at = this.idle.indexOf(worker);
      if (at >= 0) this.idle.splice(at, 1);
      this.busy
        .get(worker)
        ?.reject(new ThreadEnded('a thread ended in the middle of its work', { cause }));
      this.busy.delete(worker);
      this.next();
    });
    return worker;
  }

  /** Ends all threads; whoever waits for one hears that it ended. */
  async close(): Promise<void> {
    const all = [...this.idle, ...this.busy.keys()];
    await Promise.all(all.map((worker) => worker.terminate()));
  }
}
