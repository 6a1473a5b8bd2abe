import { expect, test } from 'vitest';
import { type ResultSection, replaceSection } from '../results.ts';

const latency = { medianUs: 100, p99Us: 2000 };
const disk = { fsync: latency, commit: latency };

function section(name: string, text: string): ResultSection {
  return {
    name,
    title: `Title of ${name}`,
    measuredAt: new Date('2026-03-04T05:06:07.890Z'),
    environment: {
      cpu: 'CPU',
      cores: 2,
      memoryGiB: 8,
      kernel: 'Linux 6',
      node: 'v24.0.0',
      sqlite: '3.50.0',
      filesystem: 'ext4',
      load1: 0.5,
    },
    diskBefore: disk,
    diskAfter: disk,
    blocks: [text],
  };
}

test('a new file gets a preamble, and a section says when and where it was measured', () => {
  const document = replaceSection('', section('issue', 'first'));
  expect(document).toMatch(/^# Benchmark results\n/);
  expect(document).toContain(
    'Measured 2026-03-04 05:06Z. CPU, 2 cores, 8.0 GiB; Linux 6, ext4; Node v24.0.0',
  );
  expect(document).toContain('fsync 100 µs (p99 2,000 µs)');
});

test('running a bench again replaces its section and leaves every other byte', () => {
  const names = ['issue', 'map', 'verify'];
  const before = names.reduce((text, name) => replaceSection(text, section(name, `old ${name}`)), '');
  for (const name of names) {
    const after = replaceSection(before, section(name, `new ${name}`));
    expect(after).toBe(before.replace(`old ${name}`, `new ${name}`));
  }
});

test('a name that begins like another has a section of its own', () => {
  const document = replaceSection(replaceSection('', section('map-large', 'large')), section('map', 'small'));
  expect(document).toContain('large');
  expect(document).toContain('small');
});

test('a damaged section is refused instead of swallowing its neighbors', () => {
  const document = replaceSection('', section('issue', 'text')).replace('<!-- end: issue -->', '');
  expect(() => replaceSection(document, section('issue', 'again'))).toThrow('no end marker');
});
