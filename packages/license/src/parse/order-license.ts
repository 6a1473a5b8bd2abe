import type { Entitlement, LicenseDocument } from '../documents.ts';

/**
 * A license with its members in the order of the types, unknown ones left out. Written out because the license
 * is the one document that is encoded for every sale: the reader would do the same, but checks everything
 * again. The compiler checks that no member is missing, a property test that the order is that of the reader.
 */
export function orderLicense(license: LicenseDocument): LicenseDocument {
  const { product, plan, status, term, updates, seats, offline } = license;
  return {
    v: license.v,
    type: license.type,
    ns: license.ns,
    id: license.id,
    rev: license.rev,
    crit: license.crit,
    product: { id: product.id, code: product.code },
    plan: { id: plan.id, rev: plan.rev, code: plan.code, name: plan.name },
    addons: license.addons.map(orderAddon),
    customer: license.customer,
    licensee: license.licensee,
    purpose: license.purpose,
    status: {
      state: status.state,
      reason: status.reason,
      message: status.message,
      since: status.since,
      successor: status.successor,
    },
    term: { from: term.from, until: term.until, grace: term.grace },
    updates: { until: updates.until, fallback: updates.fallback, maxMajor: updates.maxMajor },
    seats: { model: seats.model, max: seats.max, over: seats.over },
    entitlements: orderEntitlements(license.entitlements),
    offline: { maxAge: offline.maxAge, grace: offline.grace, clock: offline.clock },
    generation: license.generation,
    epoch: license.epoch,
    metadata: license.metadata,
    private: license.private,
  };
}

function orderAddon(addon: LicenseDocument['addons'][number]): LicenseDocument['addons'][number] {
  const { plan, rev, code, quantity, until } = addon;
  return { plan, rev, code, quantity, until };
}

function orderEntitlements(entitlements: Record<string, Entitlement>): Record<string, Entitlement> {
  const ordered: Record<string, Entitlement> = {};
  for (const [code, entitlement] of Object.entries(entitlements))
    ordered[code] = orderEntitlement(entitlement);
  return ordered;
}

function orderEntitlement(entitlement: Entitlement): Entitlement {
  const { until, via } = entitlement;
  if (!('limit' in entitlement)) return { value: entitlement.value, until, via };
  const { limit, per, over } = entitlement;
  return { limit, per, over, until, via };
}
