import type { OnFault } from '../due/run-each.ts'
import type { Context } from '../service-context.ts'
import { findNotSealed, replaceSecrets } from './webhook.store.ts'

const atOnce = 100

/**
 * Seals what is kept plain, or with a key that is no more the first: what a new key asks for is
 * done an hour later at most. Answers how many endpoints.
 */
export async function sealSecrets(
  { db, sealing }: Pick<Context, 'db' | 'sealing'>,
  onFault: OnFault
): Promise<number> {
  const { prefix } = sealing
  if (prefix === null) return 0
  let count = 0
  for (const { id, secret, oldSecret } of await findNotSealed(db, prefix, atOnce)) {
    const again = (kept: string | null) =>
      kept === null || kept.startsWith(prefix) ? kept : sealing.seal(sealing.open(kept, id), id)
    try {
      const after = { secret: again(secret), oldSecret: again(oldSecret) }
      await replaceSecrets(db, { id, secret, oldSecret }, after)
      count += 1
    } catch (error) {
      onFault({ webhookEndpointId: id }, error)
    }
  }
  return count
}
