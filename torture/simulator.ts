/** Adyen, a process of its own that outlives all faults; it asks again soon where it got no answer. */
import { startSimulator } from '../sandbox/simulator/simulator.ts'

const { SIMULATOR_WEBHOOK_URL = '', SIMULATOR_API_KEY = '', SIMULATOR_HMAC_KEY = '' } = process.env
const { SIMULATOR_MERCHANT_ACCOUNT = '' } = process.env

const simulator = await startSimulator({
  port: 0,
  apiKey: SIMULATOR_API_KEY,
  merchantAccount: SIMULATOR_MERCHANT_ACCOUNT,
  hmacKey: SIMULATOR_HMAC_KEY,
  webhookUrl: SIMULATOR_WEBHOOK_URL,
  // Adyen's own are minutes: what is stuck here would be stuck at Adyen.
  retryDelaysMs: [200, 200, 200, 500]
})
process.send?.({ url: simulator.url })
process.on('disconnect', () => process.exit(0))
