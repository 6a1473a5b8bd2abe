/**
 * How schemas are built. Each takes the type that it describes as a parameter and wants a schema for every
 * member of it, so that a member cannot be forgotten on one side.
 */
import { z } from 'zod';

/** One schema per member; an optional member has an optional schema. */
export type Shape<T> = {
  [K in keyof T]-?: Record<never, never> extends Pick<T, K>
    ? z.ZodExactOptional<z.ZodType<Exclude<T[K], undefined>>>
    : z.ZodType<T[K]>;
};

const objectError = { error: 'must be an object' } as const;

/** An object without other members: what callers send, where an unknown member is a spelling mistake. */
export function closed<T extends object>(shape: Shape<T>): z.ZodType<T> {
  return z.strictObject(shape, objectError) as unknown as z.ZodType<T>;
}

/** An object that later versions may extend: what the server answers. Unknown members are dropped when read. */
export function open<T extends object>(shape: Shape<T>): z.ZodType<T> {
  return z.object(shape, objectError) as unknown as z.ZodType<T>;
}

/** An object whose unknown members are kept: documents, whose bytes are committed to. */
export function kept<T extends object>(shape: Shape<T>): z.ZodType<T> {
  return z.looseObject(shape, objectError) as unknown as z.ZodType<T>;
}

/** An object used as a map of at most `entriesMax` entries. */
export function mapOf<T>(
  key: z.ZodType<string>,
  value: z.ZodType<T>,
  entriesMax: number,
): z.ZodType<Record<string, T>> {
  return z
    .record(key as z.ZodString, value, objectError)
    .refine((map) => Object.keys(map).length <= entriesMax, `must have at most ${entriesMax} entries`)
    .meta({ maxProperties: entriesMax });
}

/** One of a closed list of texts. */
export function oneOf<const T extends string>(choices: readonly T[]): z.ZodType<T> {
  return z.enum(choices as readonly [T, ...T[]], {
    error: `must be one of: ${choices.join(', ')}`,
  });
}

/** The same schema under a description that reference pages show. */
export function described<T>(schema: z.ZodType<T>, description: string): z.ZodType<T> {
  return schema.meta({ description });
}
