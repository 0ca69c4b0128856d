/** What the service and its Adyen share here. */
export const merchantAccount = 'SimulatedMerchant'
export const adyenApiKey = 'simulated-adyen-api-key'
/** 64 hex digits that notifications are signed with. */
export const hmacKey = 'a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f90'
