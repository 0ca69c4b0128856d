/**
 * The cards that Adyen keeps for an account: GET and DELETE /storedPaymentMethods
 * (docs.adyen.com/online-payments/tokenization).
 */
import type { checkout } from '@adyen/api-library/lib/src/typings/index.js'
import { hideCardNumbers } from '../card-number.ts'
import type { Provider, StoredCard } from '../provider.ts'
import { type Adyen, toShopperReference } from './adyen-request.ts'
import { done, readError, unknown } from './answer.ts'

export function createCards({
  ask,
  merchantAccount
}: Adyen): Pick<Provider, 'listStoredCards' | 'forgetCard'> {
  const queryOf = (shopperReference: string) =>
    new URLSearchParams({ shopperReference, merchantAccount })
  return {
    /** Adyen's list has no pages. */
    async listStoredCards(accountId) {
      const shopper = toShopperReference(accountId)
      try {
        const { shopperReference, storedPaymentMethods = [] } =
          await ask<checkout.ListStoredPaymentMethodsResponse>({
            ...{ kind: 'cards', method: 'GET' },
            path: `/storedPaymentMethods?${queryOf(shopper)}`
          })
        if (!Array.isArray(storedPaymentMethods)) return unknown('cards that are no list')
        // With its query lost it would be others' list, or nobody's: it must say whose it is.
        const owners = [
          shopperReference,
          ...storedPaymentMethods.map((one) => one.shopperReference)
        ]
        const named = owners.filter((owner) => owner !== undefined)
        if (named.length === 0 || named.some((owner) => owner !== shopper)) {
          return unknown('a list of nobody we asked for')
        }
        return done(storedPaymentMethods.flatMap(toStoredCard))
      } catch (error) {
        return readError(error, 'harmless')
      }
    },

    /** Repeating it is harmless: a card that Adyen does not know is gone. */
    async forgetCard(accountId, token) {
      const shopper = toShopperReference(accountId)
      try {
        const path = `/storedPaymentMethods/${encodeURIComponent(token)}?${queryOf(shopper)}`
        await ask({ kind: 'cards', method: 'DELETE', path })
        return done(null)
      } catch (error) {
        return isUnknownCard(error) ? done(null) : readError(error, 'harmless')
      }
    }
  }
}

/** None where it is no card, such as a bank account that was registered without us. */
function toStoredCard(method: checkout.StoredPaymentMethodResource): StoredCard[] {
  const { id, type, brand, lastFour, expiryMonth, expiryYear } = method
  if (!id || (type !== undefined && type !== 'scheme')) return []
  const [, year] = /^(?:20)?(\d\d)$/.exec(expiryYear ?? '') ?? []
  const month = /^(0?[1-9]|1[0-2])$/.test(expiryMonth ?? '') ? Number(expiryMonth) : null
  return [
    {
      token: id,
      brand: brand === undefined ? null : hideCardNumbers(brand),
      lastFour: /^\d{4}$/.test(lastFour ?? '') ? (lastFour as string) : null,
      expiryMonth: month,
      // Adyen gives two digits here, unlike anywhere else.
      expiryYear: year === undefined ? null : 2000 + Number(year),
      // The list does not contain it.
      funding: null
    }
  ]
}

/** 404, or 422 with the code of `PaymentDetail not found`. */
function isUnknownCard(error: unknown): boolean {
  const { statusCode, errorCode } = (error ?? {}) as { statusCode?: unknown; errorCode?: unknown }
  return statusCode === 404 || (statusCode === 422 && errorCode === '803')
}
