type Facts = {
  publicUrl: string
  simulatorUrl: string
  shopUrl: string
  dir: string
  demoKey: string
  accountId: string
  amount: { currency: string; value: number }
  /** Where access tokens are had. */
  tokens?: { issuer: string; id: string; secret: string }
}

/** What a newcomer needs: plain text whose curl lines work when pasted. */
export function toBanner({
  publicUrl,
  simulatorUrl,
  shopUrl,
  dir,
  demoKey,
  accountId,
  amount,
  tokens
}: Facts): string {
  const body = JSON.stringify({ accountId, amount, channel: 'selfcare', returnUrl: shopUrl })
  return `
One-Off Payments, sandbox (data in ${dir})

  API        ${publicUrl}
  Docs       ${publicUrl}/docs
  Simulator  ${simulatorUrl}  (test cards, and how to make things go wrong)
  API key    ${demoKey}
  Account    ${accountId}

Create a payment, and open the checkout.url of the answer in a browser:

curl -sS ${publicUrl}/v1/payments -H 'Authorization: Bearer ${demoKey}' -H 'Idempotency-Key: my-first-payment' -H 'Content-Type: application/json' -d '${body}'

Then see what the account owes:

curl -sS ${publicUrl}/v1/accounts/${accountId} -H 'Authorization: Bearer ${demoKey}'
${tokens === undefined ? '' : toTokenText(tokens, `${publicUrl}/v1/accounts/${accountId}`)}
Ctrl-C stops it; \`npm start\` goes on with the same data.
`
}

function toTokenText({ issuer, id, secret }: NonNullable<Facts['tokens']>, url: string) {
  const asked = `-u ${id}:${secret} -d grant_type=client_credentials -d scope=accounts:read`
  const read = `sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/'`
  return `
With OAuth 2.0, an access token of ${issuer}, and its use:

TOKEN=$(curl -sS ${issuer}/token ${asked} | ${read})
curl -sS ${url} -H "Authorization: Bearer $TOKEN"
`
}
