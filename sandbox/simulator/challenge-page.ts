import { brandName } from './cards.ts'
import { formatAmount } from './money.ts'
import { LOCK, page, safe } from './page-shell.ts'
import type { Challenge } from './state.ts'
import { CHALLENGE_PASSWORD } from './test-data.ts'

/** The issuer's page, on which the shopper proves who pays. */
export function challengePage({ id, card, purchase }: Challenge): string {
  const { amount, merchantAccount } = purchase
  const what =
    amount.value === 0
      ? `that ${merchantAccount} keeps your card`
      : `a payment of ${formatAmount(amount)} to ${merchantAccount}`
  return page(
    '3-D Secure',
    merchantAccount,
    `<section class="panel notice" aria-labelledby="challenge-title">
<h1 id="challenge-title">3-D Secure</h1>
<p>The bank of your ${safe(brandName(card.brand))} ending ${card.lastFour} asks you to approve
${safe(what)}.</p>
<form method="post" action="/challenge/${id}">
<div class="field">
<label for="password">Password</label>
<p class="hint" id="password-hint">In this simulator <code>${CHALLENGE_PASSWORD}</code> approves;
anything else is refused.</p>
<input type="password" id="password" name="password" autocomplete="one-time-code"
aria-describedby="password-hint" maxlength="80" autofocus>
</div>
<button class="button" type="submit">${LOCK}Approve</button>
<button class="button plain" type="submit" name="cancel" value="yes">Cancel</button>
</form>
</section>`
  )
}
