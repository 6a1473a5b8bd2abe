/** A monitor: all logs of its configuration, looked at in rounds, and what it says of them. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Alarm } from './alarm.ts';
import { keyOf } from './alarm.ts';
import { EvidenceFolder, loadMonitorKey } from './evidence-files.ts';
import { LogMonitor, type LogRound, type WatchedLogConfig } from './log-monitor.ts';
import { loadMonitorConfig, monitorLayout } from './monitor-config.ts';
import { MonitorState } from './monitor-state.ts';
import { RuleCheck } from './rule-check.ts';

export interface MonitorRound {
  logs: LogRound[];
  /** Alarms that the round before did not have. */
  raised: Alarm[];
  /** Those that are over. */
  cleared: Alarm[];
}

export interface MonitorOptions {
  folder: string;
  signal: AbortSignal;
  /** Seconds. */
  now: () => number;
  /** Threads that check signatures of entries, for each log; 2 where it is left out. */
  workers?: number;
}

export class Monitor implements AsyncDisposable {
  readonly #state: MonitorState;
  readonly #logs: readonly LogMonitor[];
  readonly #rules: readonly RuleCheck[];

  private constructor(state: MonitorState, logs: readonly LogMonitor[], rules: readonly RuleCheck[]) {
    this.#state = state;
    this.#logs = logs;
    this.#rules = rules;
  }

  /** Reads the configuration and opens the state. Throws ConfigError; nothing is left open then. */
  static async open(options: MonitorOptions): Promise<Monitor> {
    const { folder, signal, now } = options;
    const layout = monitorLayout(folder);
    const configs = await loadMonitorConfig(folder);
    const evidence = new EvidenceFolder(layout.evidence, loadMonitorKey(layout.key));
    const state = MonitorState.open(layout.state);
    const opened: RuleCheck[] = [];
    try {
      const logs = configs.map((log) => {
        const rules = openRules(log, options);
        if (rules !== null) opened.push(rules);
        return new LogMonitor({ log, state, evidence, rules, promises: layout.promises, signal, now });
      });
      return new Monitor(state, logs, opened);
    } catch (error) {
      for (const rules of opened) await rules[Symbol.asyncDispose]();
      state[Symbol.dispose]();
      throw error;
    }
  }

  /** Looks at every log once. Rejects for faults of this monitor's own alone. */
  async round(): Promise<MonitorRound> {
    const before = this.#logs.flatMap(({ origin }) => this.#state.alarms(origin));
    const logs: LogRound[] = [];
    for (const log of this.#logs) logs.push(await log.round());
    const after = logs.flatMap(({ alarms }) => alarms);
    const isNew = (alarm: Alarm): boolean =>
      !before.some((each) => keyOf(each) === keyOf(alarm) && each.evidence === alarm.evidence);
    return {
      logs,
      raised: after.filter(isNew),
      cleared: before.filter((alarm) => !after.some((each) => keyOf(each) === keyOf(alarm))),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const rules of this.#rules) await rules[Symbol.asyncDispose]();
    this.#state[Symbol.dispose]();
  }
}

/** Each log is replayed into a file of its own: a state of a replayer belongs to what it began with. */
function openRules(log: WatchedLogConfig, options: MonitorOptions): RuleCheck | null {
  const { trust, logUrl, trustUrl, token } = log;
  if (token === undefined) return null;
  const { folder, signal, now, workers = 2 } = options;
  const newest = trust.at(-1) ?? trust[0];
  const id = createHash('sha256').update(newest.log.origin).digest('hex').slice(0, 16);
  const stateFile = join(folder, `replay-${id}.db`);
  return new RuleCheck({ trust: newest, logUrl, trustUrl, token, stateFile, signal, now, workers });
}
