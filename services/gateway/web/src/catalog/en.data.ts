/** Owns the words of taking one's data along and of ending an account, in English. Must never hold markup. */
export const data = {
  "data.lead": "Everything we hold about you is yours to take along, and yours to have erased.",
  "data.export": "Take your data along",
  "data.exportText":
    "Your browser puts together one archive: your account, your sessions, cards and charges, every event of your activity with its receipt, and all your files. It is made on this device and is not kept by us. It is not encrypted: store it somewhere safe.",
  "data.make": "Make the archive",
  "data.making": "Making the archive",
  "data.gathering": "Gathering what the services hold…",
  "data.progress": "{done} of {total} files",
  "data.stop": "Stop",
  "data.exported": "The archive is ready, and your browser saves it.",
  "data.readme":
    "Your data at Valv\n=================\n\nMade for {email} at {time}.\n\naccount.json    your account, its sessions and the devices it knows\nbilling.json    your cards as far as we know them, your charges and what was given back\nactivity.json   every event about you\nreceipts/       the receipt of each event; check one with: valv verify receipts/*.txt --key '...'\nfiles.json      what is known of your files\nfiles/          your files\n\nThis archive is not encrypted.\n",

  "erasure.title": "Erase your account",
  "erasure.requested": "Asked for",
  "erasure.text":
    "Your account, your files and your cards are erased for good. First there is a time in which you can take it back; you see when it ends, and get a message. Afterwards you get a receipt from each service that anybody can verify.",
  "erasure.request": "Erase my account",
  "erasure.requestTitle": "Erase your account?",
  "erasure.requestText": "When the time for taking it back is over, nobody can bring anything back, not even we. Take your data along first if you want to keep it.",
  "erasure.keptText":
    "What the law demands, such as bookkeeping of charges, is kept as long as it demands. So is a short security record without your name or address. The receipts say what was kept, and until when.",
  "erasure.requestVerb": "Erase my account",
  "erasure.due": "Your account will be erased on {time}.",
  "erasure.dueText": "Until then everything works as before, and you can take it back. Afterwards nobody can.",
  "erasure.takeBack": "Keep my account",
  "erasure.takenBack": "Your account stays. Nothing was erased.",
} as const;
