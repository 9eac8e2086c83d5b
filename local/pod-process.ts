/** A pod's container as a child process: its environment, its probes, its restarts. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, readFileSync, type WriteStream } from 'node:fs';
import http from 'node:http';
import type { Container, ContainerState, EnvVar, Pod, Probe } from '../kube/objects.ts';
import type { Clock } from '../stdx/clock.ts';

const BACKOFF_MS = 1_000;
const STARTING_PROBE_MS = 100;
const BACKOFF_MS_MAX = 60_000;
/** A container that ran this long starts again at once after it ends. */
const STEADY_MS = 10_000;

export interface PodFacts {
  readonly ip: string;
  /** Host folder of each volume. */
  readonly volumes: ReadonlyMap<string, string>;
  /** Environment that a cluster would give: where the API is. */
  readonly clusterEnv: Readonly<Record<string, string>>;
  /** Turns a container's command into one of this machine. */
  readonly commandFor: (command: readonly string[]) => readonly string[];
  readonly logPath: string;
}

export interface ContainerStatus {
  readonly ready: boolean;
  readonly restartCount: number;
  readonly state: ContainerState;
  readonly lastState?: ContainerState;
}

function fieldValue(pod: Pod, ip: string, path: string): string {
  if (path === 'metadata.name') return pod.metadata.name;
  if (path === 'metadata.namespace') return pod.metadata.namespace ?? '';
  if (path === 'metadata.uid') return pod.metadata.uid ?? '';
  if (path === 'status.podIP' || path === 'status.hostIP') return ip;
  if (path === 'spec.nodeName') return pod.spec.nodeName ?? '';
  return '';
}

/** Kubernetes' expansion of $(NAME) in values, from what was defined before. Pure. */
export function environmentOf(
  pod: Pod,
  { env = [], volumeMounts = [] }: Container,
  { ip, volumes, clusterEnv }: Pick<PodFacts, 'ip' | 'volumes' | 'clusterEnv'>,
): Record<string, string> {
  const out: Record<string, string> = { ...clusterEnv };
  const expand = (value: string) =>
    value.replace(/\$\(([A-Za-z_]\w*)\)/g, (whole, name: string) => out[name] ?? whole);
  // A process has no mounts of its own: paths below a mount become paths of the host.
  const pathOnHost = (value: string) => {
    const mount = volumeMounts.find(
      ({ mountPath }) => value === mountPath || value.startsWith(`${mountPath}/`),
    );
    const host = mount === undefined ? undefined : volumes.get(mount.name);
    return mount === undefined || host === undefined
      ? value
      : host + value.slice(mount.mountPath.length);
  };
  const onHost = (value: string) => value.split(',').map(pathOnHost).join(',');
  for (const { name, value, valueFrom } of env as readonly EnvVar[]) {
    const path = valueFrom?.fieldRef?.fieldPath;
    out[name] = path === undefined ? onHost(expand(value ?? '')) : fieldValue(pod, ip, path);
  }
  return out;
}

export class PodProcess {
  private readonly clock: Clock;
  private pod: Pod;
  private readonly facts: PodFacts;
  private readonly onChange: () => void;
  private child: ChildProcess | null = null;
  private log: WriteStream | null = null;
  private ready = false;
  private restartCount = 0;
  private startedMs = 0;
  private backoffMs = 0;
  private liveFailures = 0;
  private unreadyCount = 0;
  private started = false;
  private state: ContainerState = { waiting: { reason: 'ContainerCreating' } };
  private lastState: ContainerState | undefined;
  private timers: Disposable[] = [];
  private stopping = false;
  private onGone: (() => void) | null = null;

  constructor(clock: Clock, pod: Pod, facts: PodFacts, onChange: () => void) {
    this.clock = clock;
    this.pod = pod;
    this.facts = facts;
    this.onChange = onChange;
    this.start();
  }

  get uid(): string {
    return this.pod.metadata.uid ?? '';
  }
  get ip(): string {
    return this.facts.ip;
  }
  get pid(): number | undefined {
    return this.child?.pid;
  }
  get logPath(): string {
    return this.facts.logPath;
  }

  private get container(): Container {
    return this.pod.spec.containers[0] as Container;
  }

  status(): ContainerStatus {
    const { ready, restartCount, state, lastState } = this;
    return { ready, restartCount, state, ...(lastState === undefined ? {} : { lastState }) };
  }

  private start(): void {
    const { container, facts } = this;
    this.log ??= createWriteStream(this.logPath, { flags: 'a' });
    const [program, ...args] = facts.commandFor([
      ...(container.command ?? []),
      ...(container.args ?? []),
    ]);
    const child = spawn(program as string, args, {
      env: { PATH: process.env.PATH ?? '', ...environmentOf(this.pod, container, facts) },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: false,
    });
    this.child = child;
    this.startedMs = this.clock.monotonicMs();
    this.started = false;
    this.liveFailures = 0;
    child.stdout?.pipe(this.log, { end: false });
    child.stderr?.pipe(this.log, { end: false });
    child.on('error', (cause) => this.log?.write(`${cause.message}\n`));
    child.on('exit', (code, signal) => this.onExit(code, signal));
    this.state = { running: { startedAt: new Date(this.clock.nowMs()).toISOString() } };
    this.timers = [];
    this.probeLiveLater();
    this.probeSoon();
    this.onChange();
  }

  /** One at a time: an answer may take longer than the period. */
  private probeLiveLater(): void {
    const { child } = this;
    const periodMs = (this.container.livenessProbe?.periodSeconds ?? 10) * 1000;
    this.liveTimer = this.clock.after(periodMs, () => {
      void this.probeLive().finally(() => {
        if (this.child === child && child !== null) this.probeLiveLater();
      });
    });
  }
  private liveTimer: Disposable | null = null;

  /** Often until the container is ready for the first time, then at its own pace. */
  private probeSoon(): void {
    const periodMs = (this.container.readinessProbe?.periodSeconds ?? 10) * 1000;
    const { child } = this;
    const timer = this.clock.after(this.ready ? periodMs : STARTING_PROBE_MS, () => {
      void this.probeReady().finally(() => {
        if (this.child === child && child !== null) this.probeSoon();
      });
    });
    this.timers.push(timer);
    if (this.timers.length > 8) this.timers.splice(1, 4);
  }

  private endTimers(): void {
    for (const timer of this.timers) timer[Symbol.dispose]();
    this.timers = [];
    this.liveTimer?.[Symbol.dispose]();
  }

  private onExit(code: number | null, signal: NodeJS.Signals | null): void {
    this.endTimers();
    this.child = null;
    this.ready = false;
    const signals: Readonly<Record<string, number>> = {
      SIGKILL: 9,
      SIGTERM: 15,
      SIGINT: 2,
      SIGSEGV: 11,
      SIGABRT: 6,
    };
    const number = signal === null ? undefined : signals[signal];
    const terminated = {
      exitCode: code ?? 128 + (number ?? 0),
      ...(number === undefined ? {} : { signal: number }),
      reason: code === 0 ? 'Completed' : 'Error',
      finishedAt: new Date(this.clock.nowMs()).toISOString(),
    };
    if (this.stopping) {
      this.state = { terminated };
      this.log?.end();
      this.onGone?.();
      return;
    }
    this.lastState = { terminated };
    const steady = this.clock.monotonicMs() - this.startedMs > STEADY_MS;
    this.backoffMs = steady
      ? 0
      : Math.min(this.backoffMs === 0 ? BACKOFF_MS : this.backoffMs * 2, BACKOFF_MS_MAX);
    if (this.backoffMs > 0)
      this.state = {
        waiting: { reason: 'CrashLoopBackOff', message: `back-off ${this.backoffMs} ms` },
      };
    this.restartCount++;
    this.onChange();
    this.clock.after(this.backoffMs, () => {
      if (!this.stopping) this.start();
    });
  }

  private probe(probe: Probe | undefined): Promise<boolean> {
    const get = probe?.httpGet;
    if (get === undefined) return Promise.resolve(this.child !== null);
    return new Promise((resolve) => {
      const request = http.get(
        { host: this.facts.ip, port: get.port, path: get.path, agent: false },
        (response) => {
          timer[Symbol.dispose]();
          response.resume();
          resolve((response.statusCode ?? 500) < 400);
        },
      );
      // By the clock: its timers let an answer go first that came while this process stood still.
      const timer = this.clock.after((probe?.timeoutSeconds ?? 1) * 1000, () => request.destroy());
      request.on('error', () => {
        timer[Symbol.dispose]();
        resolve(false);
      });
    });
  }

  private async probeReady(): Promise<void> {
    const { child } = this;
    const answer = await this.probe(this.container.readinessProbe);
    if (this.child !== child || child === null) return;
    this.unreadyCount = answer ? 0 : this.unreadyCount + 1;
    const threshold = this.container.readinessProbe?.failureThreshold ?? 3;
    const ready = answer || (this.ready && this.unreadyCount < threshold);
    if (ready) this.started = true;
    if (ready === this.ready) return;
    this.ready = ready;
    this.onChange();
  }

  private async probeLive(): Promise<void> {
    const { child } = this;
    if (!this.started || child === null) return;
    const live = await this.probe(this.container.livenessProbe);
    if (this.child !== child) return;
    this.liveFailures = live ? 0 : this.liveFailures + 1;
    if (this.liveFailures >= (this.container.livenessProbe?.failureThreshold ?? 3))
      child.kill('SIGTERM');
  }

  /** Ends the container: SIGTERM, and SIGKILL after the grace period. */
  async stop(graceMs: number): Promise<void> {
    if (this.stopping) return;
    this.stopping = true;
    const { child } = this;
    if (child === null) {
      this.endTimers();
      this.log?.end();
      return;
    }
    const gone = new Promise<void>((resolve) => {
      this.onGone = resolve;
    });
    child.kill(graceMs > 0 ? 'SIGTERM' : 'SIGKILL');
    const timer = this.clock.after(graceMs, () => child.kill('SIGKILL'));
    await gone;
    timer[Symbol.dispose]();
  }

  /** The last lines that the container wrote. */
  logs(tailLines: number | null): string {
    let text = '';
    try {
      text = readFileSync(this.logPath, 'utf8');
    } catch {
      return '';
    }
    return tailLines === null
      ? text
      : text
          .split('\n')
          .slice(-tailLines - 1)
          .join('\n');
  }
}
