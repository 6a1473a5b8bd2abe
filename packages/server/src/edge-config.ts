/** What stands between callers and the server, as its operator says: networks with names, proxies, and trust domains. */
import { AddressError, isSpiffeId, parseRange } from '@tallystick/gate';
import { z } from 'zod';

export interface TrustedProxyConfig {
  /** Ranges that it connects from. */
  addresses: string[];
  /** The SPIFFE id of its certificate. */
  spiffeId?: string;
  /** File with 32 bytes in base64, for the MAC of what it says of devices. */
  secretFile?: string;
}

export interface EdgeConfig {
  /** Names of networks with their ranges in CIDR notation, for policies. */
  networks: Record<string, string[]>;
  /** What stands in front of the server and is believed, where it names callers and their devices. */
  trustedProxies: TrustedProxyConfig[];
  /** Trust domains whose SPIFFE ids count. */
  trustDomains: string[];
}

const range = z.string().superRefine((written, context) => {
  const problem = rangeProblem(written);
  if (problem !== null) context.addIssue(problem);
});
const proxyRange = range.refine(
  (written) => !written.endsWith('/0'),
  'is everybody: a proxy that is everywhere lets every caller name an address of their choice',
);

/** Members of the configuration of a server. */
export const edgeMembers: { [M in keyof EdgeConfig]: z.ZodDefault<z.ZodType<EdgeConfig[M]>> } = {
  networks: z
    .record(z.string(), z.array(range).min(1))
    .superRefine((named, context) => {
      const wrong = Object.keys(named).find((name) => !/^[a-z][a-z0-9-]{0,63}$/.test(name));
      if (wrong !== undefined) context.addIssue(`${wrong} is no code such as office`);
    })
    .default({}),
  trustedProxies: z
    .array(
      z.strictObject({
        addresses: z.array(proxyRange).min(1),
        spiffeId: z.string().refine(isSpiffeId, 'is no SPIFFE id').exactOptional(),
        secretFile: z.string().min(1).exactOptional(),
      }),
    )
    .default([]),
  trustDomains: z
    .array(z.string().regex(/^[a-z0-9._-]{1,255}$/, 'is no trust domain such as vendor.example'))
    .default([]),
};

const edge: z.ZodType<EdgeConfig> = z.strictObject(edgeMembers);

/** What is wrong with it, as one sentence without its period; null where nothing is. */
export function edgeProblem(config: EdgeConfig): string | null {
  const issue = edge.safeParse(config).error?.issues[0];
  if (issue === undefined) return null;
  const named = issue.path.reduce<unknown>(
    (value, name) => (value as Record<PropertyKey, unknown> | undefined)?.[name],
    config,
  );
  const what = typeof named === 'string' ? named : issue.path.map(String).join('.');
  return issue.message.startsWith(what) ? issue.message : `${what} ${issue.message}`;
}

function rangeProblem(written: string): string | null {
  try {
    parseRange(written);
    return null;
  } catch (error) {
    if (error instanceof AddressError) return error.message;
    throw error;
  }
}
