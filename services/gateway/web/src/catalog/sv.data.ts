/** Owns the words of taking one's data along and of ending an account, in Swedish. Must never hold markup. */
import type { data as en } from "./en.data.ts";

export const data: Readonly<Record<keyof typeof en, string>> = {
  "data.lead": "Allt vi har om dig är ditt att ta med dig, och ditt att få raderat.",
  "data.export": "Ta med dig dina data",
  "data.exportText":
    "Din webbläsare sätter ihop ett arkiv: ditt konto, dina sessioner, kort och debiteringar, varje händelse i din aktivitet med sitt kvitto, och alla dina filer. Det skapas på den här enheten och sparas inte av oss. Det är inte krypterat: förvara det säkert.",
  "data.make": "Skapa arkivet",
  "data.making": "Arkivet skapas",
  "data.gathering": "Samlar det som tjänsterna har…",
  "data.progress": "{done} av {total} filer",
  "data.stop": "Stoppa",
  "data.exported": "Arkivet är klart, och din webbläsare sparar det.",
  "data.readme":
    "Dina data hos Valv\n==================\n\nSkapat för {email} {time}.\n\naccount.json    ditt konto, dess sessioner och enheterna som det känner till\nbilling.json    dina kort så långt vi känner till dem, dina debiteringar och det som betalats tillbaka\nactivity.json   varje händelse som rör dig\nreceipts/       kvittot på varje händelse; kontrollera ett med: valv verify receipts/*.txt --key '...'\nfiles.json      uppgifter om dina filer\nfiles/          dina filer\n\nArkivet är inte krypterat.\n",

  "erasure.title": "Radera ditt konto",
  "erasure.requested": "Begärt",
  "erasure.text":
    "Ditt konto, dina filer och dina kort raderas för gott. Först får du en tid då du kan ångra dig; du ser när den tar slut, och får ett meddelande. Efteråt får du ett kvitto från varje tjänst, som vem som helst kan kontrollera.",
  "erasure.request": "Radera mitt konto",
  "erasure.requestTitle": "Radera ditt konto?",
  "erasure.requestText": "När ångertiden är slut kan ingen få tillbaka något, inte ens vi. Ta först med dig dina data om du vill ha dem kvar.",
  "erasure.keptText":
    "Det som lagen kräver, som bokföring av debiteringar, sparas så länge som den kräver. Det gör också en kort säkerhetsanteckning utan ditt namn och din adress. Kvittona säger vad som sparades, och till när.",
  "erasure.requestVerb": "Radera mitt konto",
  "erasure.due": "Ditt konto raderas {time}.",
  "erasure.dueText": "Till dess fungerar allt som förut, och du kan ångra dig. Efteråt kan ingen det.",
  "erasure.takeBack": "Behåll mitt konto",
  "erasure.takenBack": "Ditt konto är kvar. Inget raderades.",
};
