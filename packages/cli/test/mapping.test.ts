import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { commandsOf, evaluate, RowRefused, skipReason } from '../src/import/evaluate.ts';
import { MappingError } from '../src/import/mapping/mapping.ts';
import { parseMapping } from '../src/import/mapping/parse-mapping.ts';

const good = `version: 1
name: shop
key: id
license:
  plan: basic
`;

/** The mapping above with lines added at its end or in place of a line. */
const bad: readonly (readonly [string, string, number, RegExp])[] = [
  ['an unknown key', `${good}color: red\n`, 6, /color is not known in the mapping; known are: version, name/],
  ['an unknown key of a license', `${good}  seat: 4\n`, 6, /seat is not known in license/],
  [
    'an unknown key of a value',
    `${good}  licensee: { column: id, value: x }\n`,
    6,
    /value is not known in licensee/,
  ],
  ['an unknown key of a term', `${good}  term: { end: x }\n`, 6, /end is not known in term/],
  ['no version', good.replace('version: 1\n', ''), 1, /has no version/],
  ['a later version', good.replace('version: 1', 'version: 2'), 1, /version must be 1/],
  ['no name', good.replace('name: shop\n', ''), 1, /has no name/],
  ['a name with spaces', good.replace('name: shop', 'name: my shop'), 2, /name must be/],
  ['no key', good.replace('key: id\n', ''), 1, /has no key/],
  ['no license', 'version: 1\nname: a\nkey: id\n', 1, /has no license/],
  ['no plan', good.replace('  plan: basic', '  licensee: x'), 4, /license has no plan/],
  [
    'a value of a table twice, as a number and as text',
    `${good}  licensee: { column: a, values: { 1: one, "1": uno } }\n`,
    6,
    /^1 stands twice in values of licensee$/,
  ],
  ['a key twice', `${good}key: other\n`, 6, /unique/],
  ['an alias', `${good}  licensee: &a x\n  metadata: { b: *a }\n`, 7, /aliases are not supported/],
  ['a tag', `${good}  licensee: !!binary aGk=\n`, 6, /tag/],
  ['broken YAML', `${good}  licensee: [\n`, 7, /./],
  ['a list where one value belongs', `${good}  licensee: [a]\n`, 6, /must be a single value, or a map/],
  ['neither column nor template', `${good}  licensee: { as: text }\n`, 6, /either column or template/],
  [
    'both column and template',
    `${good}  licensee: { column: a, template: "{b}" }\n`,
    6,
    /either column or template/,
  ],
  ['a template without a column', `${good}  licensee: { template: hello }\n`, 6, /without a column/],
  [
    'values with as',
    `${good}  licensee: { column: a, values: { b: c }, as: text }\n`,
    6,
    /both values and as/,
  ],
  [
    'values with template',
    `${good}  licensee: { template: "{a}", values: { b: c } }\n`,
    6,
    /both template and values/,
  ],
  [
    'an unknown table',
    `${good}  licensee: { column: a, values: yes-no }\n`,
    6,
    /table yes-no, which is not under tables/,
  ],
  ['an unknown form', `${good}  licensee: { column: a, as: number }\n`, 6, /must be one of: text, integer/],
  ['digits without money', `${good}  licensee: { column: a, digits: 2 }\n`, 6, /digits .* go with as: money/],
  [
    'too many digits',
    `${good}  companion: { price: { column: a, as: money, digits: 9 } }\n`,
    6,
    /from 0 to 4/,
  ],
  [
    'an unknown policy',
    `${good}  entitlements: { a: { limit: 1, over: stop } }\n`,
    6,
    /must be one of: block, allow/,
  ],
  ['a skip without a column', `${good}skip: [{ is: x }]\n`, 6, /a rule of skip has no column/],
  ['a delimiter of two characters', `${good}delimiter: ";;"\n`, 6, /delimiter must be one of/],
  ['a catalog without a product', `${good}catalog: { plans: [] }\n`, 6, /catalog has no product/],
  [
    'a wrong code in the catalog',
    `${good}catalog:\n  product:\n    code: Not A Code\n    name: x\n`,
    8,
    /product, code: must be a code/,
  ],
  [
    'an unknown member in the catalog',
    `${good}catalog:\n  product: { code: a, name: b }\n  plans:\n    - code: c\n      name: d\n      prize: 4\n`,
    11,
    /plan, prize: is not known/,
  ],
  ['a customer without a reference', `${good}customer: { name: x }\n`, 6, /customer has no reference/],
  [
    'an unknown policy for existing customers',
    `${good}customer: { reference: x, existing: maybe }\n`,
    6,
    /existing must be/,
  ],
];

describe('a mapping', () => {
  it.each(bad)('is refused for %s', (_, text, line, message) => {
    const error = ((): unknown => {
      try {
        return parseMapping(text);
      } catch (thrown) {
        return thrown;
      }
    })();
    expect(error).toBeInstanceOf(MappingError);
    expect((error as MappingError).message).toMatch(message);
    expect((error as MappingError).line).toBe(line);
  });

  it('knows which columns it uses, and where', () => {
    const mapping = parseMapping(
      `${good}  licensee: { template: "{first} {last}" }\ncustomer: { reference: { column: id } }\nskip: [{ column: state, is: gone }]\n`,
    );
    expect([...mapping.columns].toSorted(([a], [b]) => (a < b ? -1 : 1))).toEqual([
      ['first', 6],
      ['id', 3],
      ['last', 6],
      ['state', 8],
    ]);
  });

  it('reads Yes, No, 0 and 1 as the texts that they are', () => {
    const mapping = parseMapping(
      `${good}  metadata: { a: { column: x, values: { Yes: y, No: n, 0: zero, 1: one, true: t, "": none } } }\n`,
    );
    const rule = (mapping.license.members['metadata'] as never as { a: Parameters<typeof evaluate>[0] }).a;
    for (const [text, value] of Object.entries({
      Yes: 'y',
      No: 'n',
      0: 'zero',
      1: 'one',
      true: 't',
      '': 'none',
    })) {
      expect(evaluate(rule, row({ x: text }))).toBe(value);
    }
    expect(() => evaluate(rule, row({ x: 'yes' }))).toThrow(RowRefused);
  });

  it.each([
    ['money', '29.85', 2985],
    ['money', '29.9', 2990],
    ['money', '30', 3000],
    ['money', '0.07', 7],
    ['money', '1.005', null],
    ['money', '-1', null],
    ['money', '1,000.00', null],
    ['money', '99999999999999999', null],
    ['integer', '42', 42],
    ['integer', '-7', -7],
    ['integer', '4.5', null],
    ['integer', '1e3', null],
    ['boolean', 'true', true],
    ['boolean', 'True', null],
    ['date', '2027-01-31', '2027-01-31T00:00:00.000Z'],
    ['date', '2027-01-31T10:00:00.000Z', '2027-01-31T10:00:00.000Z'],
    ['date', '2027-02-30', null],
    ['date', '31.01.2027', null],
    ['text', 'e\u0301', '\u00e9'],
  ])('reads %s from %s', (as, text, value) => {
    const mapping = parseMapping(`${good}  licensee: { column: x, as: ${as} }\n`);
    const rule = mapping.license.members['licensee'] as Parameters<typeof evaluate>[0];
    if (value === null) expect(() => evaluate(rule, row({ x: text }))).toThrow(RowRefused);
    else expect(evaluate(rule, row({ x: text }))).toBe(value);
  });

  it('tells a value that is left out from one that is none', () => {
    const mapping = parseMapping(
      `${good}  licensee: { column: a }\n  term: { until: { column: a, as: date, blank: null } }\n`,
    );
    expect(commandsOf(row({ a: '' }), mapping).issue).toEqual({
      type: 'license.issue',
      plan: 'basic',
      term: { until: null },
    });
  });

  it('refuses a row that the model would refuse, before anything is sent', () => {
    const mapping = parseMapping(`${good}customer: { reference: { column: a }, email: { column: b } }\n`);
    expect(() => commandsOf(row({ a: 'x', b: 'nobody' }), mapping)).toThrow(/customer\.email: /);
    expect(() => commandsOf(row({ a: '', b: 'a@b' }), mapping)).toThrow(/reference is blank/);
    expect(() => commandsOf(row({ a: 'lic\u0007', b: '' }), mapping)).toThrow(/customer\.reference: /);
  });

  it('of the telco example says what each kind of row becomes', () => {
    const mapping = parseMapping(
      readFileSync(new URL('../../../examples/telco.mapping.yaml', import.meta.url), 'utf8'),
    );
    const names =
      'customerID,gender,SeniorCitizen,Partner,Dependents,tenure,PhoneService,MultipleLines,InternetService,OnlineSecurity,OnlineBackup,DeviceProtection,TechSupport,StreamingTV,StreamingMovies,Contract,PaperlessBilling,PaymentMethod,MonthlyCharges,TotalCharges,Churn'.split(
        ',',
      );
    const made =
      'A-1,Female,0,Yes,No,0,No,No phone service,DSL,Yes,No,Yes,Yes,Yes,No,Two year,Yes,Bank transfer (automatic),52.55, ,No'.split(
        ',',
      );
    const fields = Object.fromEntries(names.map((name, index) => [name, made[index]?.trim() ?? '']));
    const { customer, issue } = commandsOf(row(fields), mapping);
    expect(customer).toMatchObject({ reference: 'A-1', metadata: { 'tenure-months': '0' } });
    expect(issue).toMatchObject({
      plan: 'telco-two-years',
      customer: 'A-1',
      term: { length: 'P2Y' },
      companion: { price: 5255, currency: 'USD', notes: 'Not charged yet' },
    });
    expect(issue.entitlements).toMatchObject({
      phone: { value: false },
      'multiple-lines': { value: false },
      internet: { value: 'dsl' },
    });
  });

  it('skips by text, and says why', () => {
    const mapping = parseMapping(`${good}skip: [{ column: s, is: [gone, ""], because: It is over }]\n`);
    expect([
      skipReason(row({ s: 'gone' }), mapping),
      skipReason(row({ s: '' }), mapping),
      skipReason(row({ s: 'here' }), mapping),
    ]).toEqual(['It is over', 'It is over', null]);
  });
});

function row(fields: Record<string, string>): Parameters<typeof commandsOf>[0] {
  return { number: 1, line: 2, field: (column) => fields[column] ?? '' };
}
