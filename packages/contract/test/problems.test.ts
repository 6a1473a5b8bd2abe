import { describe, expect, it } from 'vitest';
import {
  isProblemCode,
  noteCodes,
  notes,
  type ProblemCode,
  problemCodes,
  problemOf,
  problemSchema,
  problems,
  type Route,
  refusalCodes,
  routes,
} from '../src/index.ts';

const table = Object.entries(routes) as [string, Route][];

describe('the registry of problems', () => {
  it.each(problemCodes)('%s says what it is and what to do, as sentences that fit together', (code) => {
    const { status, title, remedy } = problems[code];
    expect(code).toMatch(/^[a-z]+(_[a-z]+)*$/);
    expect(status).toBeGreaterThanOrEqual(400);
    expect(status).toBeLessThan(600);
    expect(title).toMatch(/^[A-Z].*[^.]$/);
    expect(title.length).toBeLessThanOrEqual(80);
    expect(remedy).toMatch(/^[A-Z].*\.$/);
  });

  it('has no two problems with the same title', () => {
    const titles = problemCodes.map((code) => problems[code].title);
    expect(new Set(titles).size).toBe(titles.length);
  });

  it('says of everything that is away for a while that it may be tried again', () => {
    const away = problemCodes.filter((code) => [429, 503].includes(problems[code].status));
    expect(away.filter((code) => !problems[code].retryable)).toEqual([]);
    expect(refusalCodes.filter((code) => problems[code].retryable)).toEqual([]);
  });

  it('knows exactly its own codes', () => {
    expect(isProblemCode('integrity')).toBe(true);
    expect(isProblemCode('toString')).toBe(false);
    expect(isProblemCode('')).toBe(false);
  });

  it('has a service problem for each code that some route lists, and no other', () => {
    const listed = new Set(table.flatMap(([, route]) => route.problems));
    const service = problemCodes.filter((code) => !(refusalCodes as readonly string[]).includes(code));
    expect(service.filter((code) => !listed.has(code))).toEqual([]);
    expect([...listed].filter((code) => !isProblemCode(code))).toEqual([]);
  });
});

describe('the body of a problem', () => {
  it.each(problemCodes)('%s is what its schema describes', (code) => {
    const full = { requestId: 'r1', detail: 'It broke.', path: '$.a', details: { have: 1, want: 'two' } };
    const problem = problemOf(code, full);
    expect(problemSchema.parse(problem)).toEqual(problem);
    expect(problem).toMatchObject({ type: `urn:tallystick:problem:${code}`, code, ...full });
  });

  it('falls back on the remedy and leaves out what is not known', () => {
    expect(problemOf('overloaded', { requestId: 'r2' })).toEqual({
      type: 'urn:tallystick:problem:overloaded',
      title: problems.overloaded.title,
      status: 503,
      code: 'overloaded',
      detail: problems.overloaded.remedy,
      requestId: 'r2',
    });
  });

  it('refuses codes that do not exist', () => {
    const problem = { ...problemOf('internal', { requestId: 'r3' }), code: 'made_up' as ProblemCode };
    expect(problemSchema.safeParse(problem).success).toBe(false);
  });
});

describe('notes', () => {
  it.each(noteCodes)('%s is a sentence and not also a problem', (code) => {
    expect(notes[code]).toMatch(/^[A-Z].*\.$/);
    expect(isProblemCode(code)).toBe(false);
  });
});
