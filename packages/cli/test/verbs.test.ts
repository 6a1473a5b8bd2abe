import { Command } from 'commander';
import { afterAll, describe, expect, it } from 'vitest';
import type { Context } from '../src/context.ts';
import { verbSources, verbsNamed } from '../src/verbs/index.ts';
import { Harness } from './support/harness.ts';

const harness = new Harness(null);

afterAll(() => harness[Symbol.dispose]());

describe('verbs, which are loaded where a command line names them', () => {
  it.each(verbSources.map((source) => [source.names.join(', '), source] as const))(
    '%s are what their file adds',
    async (_, { names, load }) => {
      const program = new Command();
      (await load())(program, {} as Context);
      expect(program.commands.flatMap((each) => [each.name(), ...each.aliases()])).toEqual(names);
    },
  );

  it('are one for one command, and all whose name is said', () => {
    expect(verbsNamed(['status', '--json']).map(({ names }) => names)).toEqual([['status']]);
    expect(verbsNamed(['--data', 'up', 'status'])).toHaveLength(2);
    expect(verbsNamed(['--json'])).toEqual([]);
  });

  it.each([[['--help']], [['help']], [['--help', 'status']]])('are all in %j', async (args) => {
    const { code, out } = await harness.run(args);
    expect(code).toBe(0);
    for (const { names } of verbSources) for (const name of names) expect(out).toContain(`\n  ${name} `);
  });

  it('are all looked at for what was meant, also where an option has the name of one as its value', async () => {
    const { code, err } = await harness.run(['isue', '--data', 'status']);
    expect(code).toBe(3);
    expect(err).toContain("Unknown command 'isue' (Did you mean issue?)");
  });
});
