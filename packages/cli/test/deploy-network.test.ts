/** deploy/network: each zone is reached by whom it is for, and processes of Tallystick go only where they have to. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { zones } from '@tallystick/contract';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';

const folder = join(import.meta.dirname, '../../../deploy/network');
const rulesFile = join(folder, 'nftables.conf');
/** The defaults of `tally init` and `tally witness init`. */
const ports = { public: 7311, admin: 7312, ops: 7313, cosigner: 7380, database: 5432, dns: 53 } as const;
type Port = keyof typeof ports;

it('knows every zone of the contract', () => {
  expect(Object.keys(ports).slice(0, zones.length)).toEqual([...zones]);
});

type Labels = Record<string, string>;
interface Selector {
  matchLabels?: Labels;
  matchExpressions?: { key: string; operator: string; values: string[] }[];
}
interface Rule {
  from?: { namespaceSelector?: Selector; podSelector?: Selector }[];
  to?: { namespaceSelector?: Selector; podSelector?: Selector }[];
  ports: { port: number }[];
}
interface Policy {
  kind: string;
  spec: { podSelector: Selector; policyTypes: string[]; ingress?: Rule[]; egress?: Rule[] };
}
interface Pod {
  namespace: Labels;
  labels: Labels;
}

const policies = parseAllDocuments(readFileSync(join(folder, 'kubernetes.yaml'), 'utf8')).map(
  (document) => document.toJSON() as Policy,
);
const own = { 'kubernetes.io/metadata.name': 'tallystick' };
const ours = (component: string): Pod => ({
  namespace: own,
  labels: { 'app.kubernetes.io/name': 'tallystick', 'app.kubernetes.io/component': component },
});
const elsewhere = (namespace: Labels, labels: Labels = {}): Pod => ({ namespace, labels });

const pods = {
  server: ours('server'),
  witness: ours('witness'),
  replayer: ours('replayer'),
  'another pod of the namespace': { namespace: own, labels: {} },
  'a service of yours': { namespace: own, labels: { 'tallystick-zone-admin': 'true' } },
  'the proxy of the public zone': elsewhere({ 'tallystick-zone-public': 'true' }),
  'the proxy of the admin zone': elsewhere({ 'tallystick-zone-admin': 'true' }),
  monitoring: elsewhere({ 'tallystick-zone-ops': 'true' }),
  postgresql: { namespace: own, labels: { 'app.kubernetes.io/name': 'postgresql' } },
  names: elsewhere({ 'kubernetes.io/metadata.name': 'kube-system' }, { 'k8s-app': 'kube-dns' }),
  'a pod of somebody else': elsewhere({ 'kubernetes.io/metadata.name': 'other' }, { app: 'x' }),
} satisfies Record<string, Pod>;
type PodName = keyof typeof pods;

function matches({ matchLabels = {}, matchExpressions = [] }: Selector, labels: Labels): boolean {
  return (
    Object.entries(matchLabels).every(([name, value]) => labels[name] === value) &&
    matchExpressions.every(({ key, operator, values }) => {
      if (operator !== 'In') throw new Error(`${operator} is not known to this test`);
      return values.includes(labels[key] ?? '');
    })
  );
}

/** As networking.k8s.io/v1 has it: what no policy selects is open, what one selects is closed but for the rules. */
function mayPass(pod: Pod, peer: Pod, port: number, type: 'Ingress' | 'Egress'): boolean {
  const selecting = policies.filter(
    ({ spec }) =>
      spec.policyTypes.includes(type) && pod.namespace === own && matches(spec.podSelector, pod.labels),
  );
  if (selecting.length === 0) return true;
  const rules = selecting.flatMap(({ spec }) => (type === 'Ingress' ? spec.ingress : spec.egress) ?? []);
  return rules.some((rule) => {
    const peers = (type === 'Ingress' ? rule.from : rule.to) ?? [];
    const isPeer = peers.some(({ namespaceSelector, podSelector }) => {
      const inNamespace =
        namespaceSelector === undefined ? peer.namespace === own : matches(namespaceSelector, peer.namespace);
      return inNamespace && matches(podSelector ?? {}, peer.labels);
    });
    return isPeer && rule.ports.some((each) => each.port === port);
  });
}

/** Everything that may happen between a process of Tallystick and anybody. */
const allowed: [PodName, PodName, Port][] = [
  ['the proxy of the public zone', 'server', 'public'],
  ['replayer', 'server', 'public'],
  ['the proxy of the admin zone', 'server', 'admin'],
  ['a service of yours', 'server', 'admin'],
  ['monitoring', 'server', 'ops'],
  ['server', 'witness', 'cosigner'],
  ['server', 'replayer', 'cosigner'],
  ['server', 'postgresql', 'database'],
  ['server', 'names', 'dns'],
  ['replayer', 'names', 'dns'],
];

describe('the NetworkPolicies', () => {
  it('let through what the zones are for, and nothing else', () => {
    const names = Object.keys(pods) as PodName[];
    const isOurs = (name: PodName) => ['server', 'witness', 'replayer'].includes(name);
    const passing: string[] = [];
    for (const from of names)
      for (const to of names)
        for (const port of Object.keys(ports) as Port[]) {
          if (from === to || !(isOurs(from) || isOurs(to))) continue;
          const passes =
            mayPass(pods[from], pods[to], ports[port], 'Egress') &&
            mayPass(pods[to], pods[from], ports[port], 'Ingress');
          if (passes) passing.push(`${from} → ${to} ${port}`);
        }
    expect(passing.sort()).toEqual(allowed.map(([from, to, port]) => `${from} → ${to} ${port}`).sort());
  });

  it('are policies alone', () => {
    expect(new Set(policies.map(({ kind }) => kind))).toEqual(new Set(['NetworkPolicy']));
  });
});

const run = (command: string, ...args: string[]) => spawnSync(command, args, { encoding: 'utf8' });
const canCheck = run('nft', '-c', '-f', '/dev/null').status === 0;
const canTry =
  canCheck &&
  run('unshare', '-n', 'ip', 'link', 'add', 'name', 'here', 'type', 'veth', 'peer', 'name', 'there')
    .status === 0;

/** A host with the rules, and its neighbors in a network of theirs; what gets through, as `address port` lines. */
const inNetworks = (rules: string, node: string) => `
  set -e
  unshare -n sleep 60 & there=$!
  trap 'kill $there $host 2>/dev/null' EXIT
  while [ "$(readlink /proc/$there/ns/net)" = "$(readlink /proc/self/ns/net)" ]; do sleep 0.02; done
  ip link add name here type veth peer name there
  ip link set there netns $there
  ip link set lo up
  ip addr add 10.0.255.1/16 dev here
  ip link set here up
  nsenter -t $there -n ip link set there up
  for last in 1.1 2.1 3.1 4.1; do nsenter -t $there -n ip addr add 10.0.$last/16 dev there; done
  nft -f ${rules}
  ${node} -e '
    for (const port of [7311, 7312, 7313, 7380, 9999]) require("net").createServer((s) => s.end()).listen(port);
    setTimeout(() => console.log("up"), 0)' > /dev/null & host=$!
  sleep 0.4
  nsenter -t $there -n ${node} -e '
    const { connect } = require("net");
    for (const last of ["1.1", "2.1", "3.1", "4.1"]) for (const port of [7311, 7312, 7313, 7380, 9999]) {
      const socket = connect({ host: "10.0.255.1", port, localAddress: "10.0." + last, timeout: 700 });
      socket.on("connect", () => { console.log("10.0." + last, port); socket.destroy(); });
      socket.on("timeout", () => socket.destroy());
      socket.on("error", () => {});
    }'
`;

describe('the rules for nftables', () => {
  it.skipIf(!canCheck)('can be loaded', () => {
    expect(run('nft', '-c', '-f', rulesFile)).toMatchObject({ status: 0, stderr: '' });
  });

  it.skipIf(!canTry)('let each zone be reached from its own networks alone', () => {
    const tried = run('unshare', '-n', 'sh', '-c', inNetworks(rulesFile, process.execPath));
    expect({ status: tried.status, stderr: tried.stderr }).toMatchObject({ status: 0, stderr: '' });
    const from = { public: '10.0.1.1', admin: '10.0.2.1', ops: '10.0.3.1', cosigner: '10.0.4.1' };
    const everybody = Object.values(from);
    const expected = [
      ...everybody.map((address) => `${address} ${ports.public}`),
      `${from.admin} ${ports.admin}`,
      `${from.ops} ${ports.ops}`,
      `${from.cosigner} ${ports.cosigner}`,
      // What is not of Tallystick is left alone.
      ...everybody.map((address) => `${address} 9999`),
    ];
    expect(tried.stdout.trim().split('\n').sort()).toEqual(expected.sort());
  });
});
