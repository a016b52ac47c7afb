/** Owns the promises in English, in the words a customer reads. */
export const promises = {
  "security.title": "What we promise, and how it stands",
  "security.lead":
    "Each promise below is a sentence about how we treat what is yours. Where a live check exists, the service tests itself while it runs and writes the result into a signed log. Where none exists yet, we say so.",

  "practice.kept": "Kept",
  "practice.broken": "Broken",
  "practice.unknown": "Not known right now",
  "practice.noCheck": "No live check yet",
  "practice.measured": "{check}: {count}",
  "practice.notMeasured": "not run yet",
  "practice.index": "log entry {index}",
  "practice.receiptIndex": "Receipt of log entry {index}",
  "practice.tally.one": "{count} of {total} promises is checked live and kept.",
  "practice.tally.other": "{count} of {total} promises are checked live and kept.",
  "practice.tallyBroken.one": "{count} is broken.",
  "practice.tallyBroken.other": "{count} are broken.",
  "practice.tallyUnknown.one": "{count} is not known right now.",
  "practice.tallyUnknown.other": "{count} are not known right now.",
  "practice.tallyNone.one": "{count} has no live check yet.",
  "practice.tallyNone.other": "{count} have no live check yet.",

  "check.gateway.doors": "Open entrances that should not be: {count}",
  "check.auth.password_parameters": "Passwords stored below our floor: {count}",
  "check.auth.longest_idle_session": "Sessions alive after 30 idle minutes: {count}",
  "check.auth.revoked_sessions_validate": "Ended sessions that would still be accepted: {count}",
  "check.auth.links_without_consent": "Links made without recorded consent: {count}",
  "check.audit.gaps": "Records missing from the log: {count}",
  "check.audit.checkpoint_age": "Longest wait for a signature, in milliseconds: {count}",
  "check.audit.tree_intact": "Parts of the log that are not as they were signed: {count}",
  "check.audit.retention_sweep": "Minutes since retention was last applied: {count}",
  "check.billing.card_numbers_in_store": "Card numbers in our own store: {count}",
  "check.billing.gateway_tls": "Encryption of our connection to the payment gateway, in bits: {count}",
  "check.files.ciphertext_at_rest": "Stored files that are not ciphertext: {count}",

  "log.title": "Check it yourself",
  "log.text":
    "Every result above is an entry in an append-only log that follows open formats. The log's key and its latest signed state are public, and verify with anybody's tools.",
  "log.key": "The log's public key",
  "log.checkpoint": "The latest signed checkpoint",

  "promise.P1.title": "Industry-standard servers",
  "promise.P1.text": "The service runs on Amazon EC2 servers, with a provider whose standard the industry relies on.",
  "promise.P2.title": "Physical security",
  "promise.P2.text":
    "Guarding the buildings and the machines is the provider's work, not ours. We pass their assurance on and name its source.",
  "promise.P3.title": "Closed by default",
  "promise.P3.text":
    "An inbound firewall denies all traffic unless it is expressly let in. Nobody but us has access to the guest system.",
  "promise.P4.title": "Daily backups",
  "promise.P4.text": "Your data is backed up every day, encrypted, and each backup is tried by restoring it.",
  "promise.P5.title": "All access is logged",
  "promise.P5.text":
    "Every access is recorded for auditing. An access that cannot be recorded does not happen.",
  "promise.P6.title": "Passwords nobody can read",
  "promise.P6.text":
    "Account passwords are stored in a form that cannot be turned back, are filtered out of all logs, and are visible to no one.",
  "promise.P7.title": "Signed out after 30 minutes",
  "promise.P7.text": "After 30 minutes without activity you are signed out, in every part of the service.",
  "promise.P8.title": "Sign out means out",
  "promise.P8.text": "When you sign out, your session cannot be used any more, anywhere, from that moment.",
  "promise.P9.title": "Help to keep your account yours",
  "promise.P9.text":
    "Keep your user name and password to yourself. We help: a second step or a passkey when you want one, a message when somebody signs in from a new device, a list of your sessions that you can end, and guessing that is slowed down.",
  "promise.P10.title": "Other services' passwords",
  "promise.P10.text":
    "We ask for a password to another service only with your authorization. We explain its use before, use it for that alone, and do not store it.",
  "promise.P11.title": "No card data kept",
  "promise.P11.text":
    "Card data goes directly to the payment gateway. We keep its token, the brand, the last four digits and the expiry date. A card number sent to us is refused and not kept.",
  "promise.P12.title": "A certified payment gateway",
  "promise.P12.text": "The payment gateway uses 256-bit TLS and is PCI certified.",
  "promise.P13.title": "Your files are yours alone",
  "promise.P13.text":
    "Uploaded files are accessible to no person other than you. Each is encrypted, with a key of its own, before it is stored.",
  "promise.P14.title": "How long files are kept",
  "promise.P14.text": "The File Retention Policy explains how long files are kept, and the service follows it on its own clock.",
  "promise.P15.title": "Terms in plain words",
  "promise.P15.text":
    "Terms of Service, Privacy Policy and Security Practices, and a place to ask, in your own language.",
} as const;
