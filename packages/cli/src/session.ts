/** What every verb needs, made from the global options: a printer, and clients once they are asked for. */
import type { Command } from 'commander';
import { Client } from './client/client.ts';
import {
  adminConnection,
  adminUrl,
  type ConnectionFlags,
  connectionTls,
  dataFolder,
  publicConnection,
} from './client/connection.ts';
import type { Credential } from './client/credential.ts';
import { briefRetries, type RetryPolicy } from './client/retry.ts';
import type { Context } from './context.ts';
import type { LoginPlace } from './login/log-in.ts';
import { sessionFilePath } from './login/session-file.ts';
import { stepUp } from './login/step-up.ts';
import { Printer } from './output/printer.ts';

export interface GlobalFlags extends ConnectionFlags {
  json?: boolean;
}

interface ClientNeeds {
  retry: RetryPolicy;
  /** Why changes are made, where a request does not say so itself. */
  reason?: string | undefined;
  prove?: (() => Promise<Credential | null>) | undefined;
}

export class Session {
  readonly context: Context;
  readonly print: Printer;
  private readonly flags: GlobalFlags;

  constructor(context: Context, command: Command) {
    this.context = context;
    this.flags = command.optsWithGlobals<GlobalFlags>();
    this.print = new Printer(context, this.flags.json === true);
  }

  get dataFolder(): string {
    return dataFolder(this.flags, this.context.env);
  }

  /** The file that `--token-file` names, for a verb whose token opens something else than this server. */
  get tokenFile(): string | null {
    return this.flags.tokenFile ?? null;
  }

  /** A client of the administrators' listener. Throws a usage error when it is not known how to get there. */
  admin({ retry = briefRetries, reason }: { retry?: RetryPolicy; reason?: string | undefined } = {}): Client {
    const { url, credential, isSession = false } = adminConnection(this.flags, this.context.env);
    const prove = isSession ? () => stepUp(this.loginPlace) : undefined;
    return this.client(url, credential, { retry, reason, prove });
  }

  /** Where people log in, and where that is kept. Throws a usage error where the server is not known. */
  get loginPlace(): LoginPlace {
    const { flags, context } = this;
    return {
      context,
      url: adminUrl(flags, context.env),
      tls: connectionTls(flags, context.env),
      file: sessionFilePath(this.dataFolder, context.env),
      say: (line) => this.print.say(line),
    };
  }

  /** A client of the public listener, without a token. */
  public(): Client {
    return this.client(publicConnection(this.flags, this.context.env), null, { retry: briefRetries });
  }

  private client(url: URL, credential: Credential | null, { retry, reason, prove }: ClientNeeds): Client {
    const { signal, sleep } = this.context;
    const tls = connectionTls(this.flags, this.context.env);
    return new Client({
      url,
      credential,
      tls,
      signal,
      retry,
      sleep,
      reason,
      onRetry: (message) => this.print.say(message),
      stepUp: prove,
    });
  }
}
