import { findClientBySubject } from '../clients/client.store.ts'
import { type ClientCache, createClientCache } from '../clients/client-cache.commands.ts'
import type { Db } from '../database/database.ts'
import type { Verify } from './access-token.verifier.ts'

/** Clients by their tokens: the database says who it is and what it may, the token what of that. */
export function createTokenCache(db: Db, verify: Verify): ClientCache {
  return createClientCache(async (_, token) => {
    const read = await verify(token)
    if ('fault' in read) return { client: null, fault: read.fault }
    const client = await findClientBySubject(db, read.subject)
    if (client === undefined) {
      return { client: null, fault: 'The token is of a client that is not known here.' }
    }
    const scopes = client.scopes.filter((scope) => read.scopes.includes(scope))
    return { client: { ...client, scopes }, expiresInMs: read.expiresInMs }
  })
}
