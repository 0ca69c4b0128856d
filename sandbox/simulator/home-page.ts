import { formatSwitches } from './faults.ts'
import { page, safe } from './page-shell.ts'
import { CHALLENGE_PASSWORD, REFUSAL_TRIGGERS, TEST_CARDS } from './test-data.ts'

type Command = [does: string, method: string, path: string, body?: object]
type Chapter = { title: string; note?: string; commands: Command[] }

const POUNDS = { currency: 'GBP', value: 500 }
const AUTOMATIC = 'of a payment without captures of its own, the automatic one'

/** Everything that /_simulator takes, each with an example that works on the newest record. */
const CHAPTERS: Chapter[] = [
  {
    title: 'Pay without a browser',
    note: 'Where a path says last, an id may stand.',
    commands: [
      ['Pay the newest page', 'POST', '/sessions/last/pay'],
      ['Be refused', 'POST', '/sessions/last/pay', { holderName: 'NOT_ENOUGH_BALANCE' }],
      ['Pay from a wallet, or googlepay', 'POST', '/sessions/last/pay', { wallet: 'applepay' }],
      ['Let the page expire', 'POST', '/sessions/last/expire'],
      ['Pay the newest link', 'POST', '/links/last/pay', { holderName: 'A. Customer' }],
      [
        'Answer the newest question of 3-D Secure',
        'POST',
        '/challenges/last/answer',
        { password: CHALLENGE_PASSWORD }
      ]
    ]
  },
  {
    title: 'What banks and schemes do',
    commands: [
      [
        'The bank takes the money back; other codes are the stages of a dispute',
        'POST',
        '/payments/last/dispute',
        { eventCode: 'CHARGEBACK' }
      ],
      [`The capture fails after all (${AUTOMATIC})`, 'POST', '/payments/last/capture-failed'],
      ['Adyen captures again', 'POST', '/payments/last/recapture'],
      ['The refund fails', 'POST', '/payments/last/refund-failed'],
      ['The refund comes back', 'POST', '/payments/last/refund-reversed'],
      ['What was reserved and not captured lapses', 'POST', '/payments/last/expire'],
      ['The issuer sends a new card', 'PATCH', '/storedCards/last', { expiryYear: '2034' }]
    ]
  },
  {
    title: 'What a person does in the Customer Area',
    commands: [
      [
        'Refund by hand; also amountUpdate, cancel, capture, reversal',
        'POST',
        '/payments/last/modify',
        { kind: 'refund', amount: POUNDS }
      ],
      ['Any event code', 'POST', '/payments/last/event', { eventCode: 'MANUAL_REVIEW_ACCEPT' }],
      ['Send the test notification', 'POST', '/test-notification'],
      ['Make a settlement report and announce it', 'POST', '/reports'],
      ['The newest report, to upload by hand', 'GET', '/reports/last'],
      [
        'What the merchant account has switched on',
        'PUT',
        '/settings',
        { additionalData: true, automaticCaptureNotifications: false }
      ]
    ]
  },
  {
    title: 'Make things go wrong',
    note: `A switch is true, a number or an object with times, forMs (milliseconds) and what else it
takes; false ends it. ${formatSwitches()}`,
    commands: [
      [
        'The next call is done, and never answered',
        'PUT',
        '/faults',
        { api: { hangAfterWork: { times: 1 } } }
      ],
      ['Every call fails for 10 s', 'PUT', '/faults', { api: { status5xx: { forMs: 10_000 } } }],
      [
        'Notifications are lost on the way for 10 minutes each',
        'PUT',
        '/faults',
        { webhooks: { delayMs: 600_000 } }
      ],
      ['Send what waits, now', 'POST', '/flush'],
      ['Send everything once more', 'POST', '/redeliver'],
      [
        'Send one of your own, unsigned; or sign as true, "wrong" or "missing"',
        'POST',
        '/webhooks',
        { items: [{ eventCode: 'AUTHORISATION', success: 'true' }], sign: 'missing' }
      ],
      ['No notification is delayed', 'PUT', '/faults', { webhooks: { delayMs: false } }]
    ]
  },
  {
    title: 'Look',
    commands: [
      ['Payments and what is left of them', 'GET', '/payments'],
      ['Captures, cancels and refunds', 'GET', '/modifications'],
      ['Pages', 'GET', '/sessions'],
      ['Links', 'GET', '/links'],
      ['Questions of 3-D Secure', 'GET', '/challenges'],
      ['Stored cards', 'GET', '/storedCards'],
      ['Notifications, and how each was answered', 'GET', '/webhooks'],
      ['Calls that came', 'GET', '/requests'],
      ['Faults that are on', 'GET', '/faults'],
      ['Settings', 'GET', '/settings']
    ]
  },
  {
    title: 'Begin again',
    commands: [
      [
        'Put captured payments there, that no notification tells of',
        'POST',
        '/payments',
        { payments: [{ reference: 'elsewhere-1', amount: POUNDS }] }
      ],
      ['Forget everything', 'DELETE', '/state']
    ]
  }
]

/** What is here, for whoever opens the simulator's own address. */
export function homePage(origin: string): string {
  const cards = TEST_CARDS.map(({ number, name, cvc = '737' }) =>
    row([`<code>${number}</code>`, safe(name), cvc])
  )
  const chapters = CHAPTERS.map(({ title, note, commands }) => {
    const items = commands.map(
      ([does, ...command]) => `<p>${safe(does)}</p>\n<pre>${safe(toCurl(origin, command))}</pre>`
    )
    const aside = note === undefined ? '' : `<p class="hint">${safe(note)}</p>`
    return `<div class="panel"><h2>${safe(title)}</h2>\n${aside}${items.join('\n')}</div>`
  })
  const content = `<div class="home"><h1>Simulator of Adyen</h1>
<p>It stands for Adyen beside the sandbox: the Checkout API under <code>/v72</code>, its card pages,
and notifications.</p>
<div class="panel"><h2>Test cards</h2>
<p>Any date in the future. The cards with 3-D Secure ask for a password:
<code>${CHALLENGE_PASSWORD}</code>.</p>
<table><tr><th>Number</th><th>Card</th><th>Code</th></tr>${cards.join('')}</table>
<p>These names of the holder refuse it; <code>refund failed</code> and <code>capture failed</code>
let that fail later:</p>
<p class="names">${REFUSAL_TRIGGERS.map((name) => `<code>${name}</code>`).join(' ')}</p></div>
${chapters.join('\n')}</div>`
  return page('Simulator of Adyen', null, content)
}

function row(cells: string[]): string {
  return `<tr>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`
}

/** One line, for a POSIX shell. */
function toCurl(origin: string, [method, path, body]: [string, string, object?]): string {
  const how = method === 'GET' ? '' : ` -X ${method}`
  const sent =
    body === undefined ? '' : ` -H 'Content-Type: application/json' -d '${JSON.stringify(body)}'`
  return `curl -sS${how} ${origin}/_simulator${path}${sent}`
}
