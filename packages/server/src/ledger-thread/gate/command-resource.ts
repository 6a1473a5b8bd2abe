/** Which subject a command is about, and what a decision sees of it. */
import { actions, bareResource, type Resource, resourceOf } from '@tallystick/gate';
import type { Change, Command, SignedCommand, SubjectType, TallyDocument, View } from '@tallystick/license';
import { ServiceProblem } from '../service-problem.ts';

type NamedType = Exclude<SubjectType, 'namespace' | 'brake' | 'policy'>;

/** A subject as a command names it. */
interface Target {
  type: NamedType;
  name: string;
  document: TallyDocument;
}

const namedTypes: ReadonlySet<string> = new Set<NamedType>([
  'product',
  'plan',
  'customer',
  'license',
  'principal',
  'credential',
  'approval',
]);

/** The subject that a command says it is about, whether there is one or not; null where it makes one. */
export function nameIn(command: Command | SignedCommand): Pick<Target, 'type' | 'name'> | null {
  const type = typeOf(command);
  if (!namedTypes.has(type)) return null;
  const named = command as unknown as Record<string, unknown>;
  // Making something may name another subject of its own type, as a license names the one it replaces.
  const name = named[type];
  return typeof name === 'string' ? { type: type as NamedType, name } : null;
}

/** The existing subject that a command is about; null where it makes one, or names none that there is. */
function subjectNamed(view: View, command: Command | SignedCommand): Target | null {
  const named = nameIn(command);
  if (named === null) return null;
  const id = idOf(view, named.type, named.name);
  const document = id === undefined ? undefined : view.subject(named.type, id)?.document;
  return document === undefined ? null : { ...named, document };
}

function idOf(view: View, type: NamedType, name: string): string | undefined {
  if (view.subject(type, name) !== undefined) return name;
  if (type === 'product' || type === 'plan') return view.idByCode(type, name);
  return type === 'customer' ? view.idByReference(name) : undefined;
}

/**
 * What a decision sees of what a command is about: the subject before the change where there is one. Where licenses of
 * several products change it belongs to none of them, so that no role for one product is enough.
 */
export function commandResource(
  view: View,
  command: Command | SignedCommand,
  changes: readonly Change[],
): Resource {
  const code = (id: string): string | undefined => view.subject('product', id)?.document.code;
  const target = subjectNamed(view, command);
  const type = typeOf(command);
  const made = changes.find(({ subject }) => subject.type === type)?.document;
  const document = target?.document ?? made;
  const resource = document === undefined ? unmade(view, command) : resourceOf(document, code);
  const products = new Set(
    changes.flatMap(({ document: changed }) => (changed.type === 'license' ? [changed.product.id] : [])),
  );
  if (resource.product !== null) products.add(resource.product.id);
  return products.size > 1 ? { ...resource, product: null } : resource;
}

/** What a command would have made that was refused: of the product that it names, as far as there is one. */
function unmade(view: View, command: Command | SignedCommand): Resource {
  const bare = bareResource(actions[command.type]?.resource ?? 'Namespace');
  if (command.type === 'credential.create') return { ...bare, owner: command.principal };
  if (command.type === 'license.issue') {
    const id = idOf(view, 'plan', command.plan);
    const plan = id === undefined ? undefined : view.subject('plan', id)?.document;
    return plan === undefined ? bare : { ...bare, product: productNamed(view, plan.product) };
  }
  if (command.type === 'plan.create') return { ...bare, product: productNamed(view, command.product) };
  return bare;
}

function productNamed(view: View, name: string): Resource['product'] {
  const id = idOf(view, 'product', name);
  const product = id === undefined ? undefined : view.subject('product', id)?.document;
  return product === undefined ? null : { id: product.id, code: product.code };
}

function typeOf({ type }: Command | SignedCommand): SubjectType {
  return type.slice(0, type.indexOf('.')) as SubjectType;
}

/** What answers a command about a subject that does not exist. */
export function absentSubject({ type, name }: Pick<Target, 'type' | 'name'>): ServiceProblem {
  return new ServiceProblem('subject_unknown', `There is no ${type} ${name}. Check the id.`, `$.${type}`);
}
