/** What a system says of networks, proxies and trust domains: in its description, for its server from the next start on. */
import { type EdgeConfig, edgeProblem } from '../edge-config.ts';

export { edgeProblem };

import { writeWhole } from '../write-whole.ts';
import type { SystemDescription } from './create-system.ts';
import type { Layout } from './layout.ts';
import { readSystemFile } from './system-file.ts';

export const noEdge: EdgeConfig = { networks: {}, trustedProxies: [], trustDomains: [] };

export function readEdge(layout: Layout): EdgeConfig {
  return { ...noEdge, ...readSystemFile(layout).edge };
}

/** Throws Error with a sentence for the operator, and has then changed nothing. Returns what holds from the next start on. */
export function setEdge(
  layout: Layout,
  changes: Partial<EdgeConfig>,
  { dryRun = false }: { dryRun?: boolean } = {},
): EdgeConfig {
  const system = readSystemFile(layout);
  const edge = { ...noEdge, ...system.edge, ...changes };
  const problem = edgeProblem(edge);
  if (problem !== null) throw new Error(problem);
  const next: SystemDescription = { ...system, edge };
  if (!dryRun) writeWhole(layout.system, `${JSON.stringify(next, null, 2)}\n`);
  return edge;
}
