/** Owns the promises in Swedish, in the words a customer reads. */
import type { promises as en } from "./en.promises.ts";

export const promises: Readonly<Record<keyof typeof en, string>> = {
  "security.title": "Vad vi lovar, och hur det står till",
  "security.lead":
    "Varje löfte här nedan handlar om hur vi behandlar det som är ditt. Där det finns en löpande kontroll prövar tjänsten sig själv medan den är i drift och skriver resultatet i en signerad logg. Där det ännu inte finns någon säger vi det.",

  "practice.kept": "Hålls",
  "practice.broken": "Brutet",
  "practice.unknown": "Inte känt just nu",
  "practice.noCheck": "Ingen löpande kontroll ännu",
  "practice.measured": "{check}: {count}",
  "practice.notMeasured": "inte körd ännu",
  "practice.index": "loggpost {index}",
  "practice.receiptIndex": "Kvitto på loggpost {index}",
  "practice.tally.one": "{count} av {total} löften kontrolleras löpande och hålls.",
  "practice.tally.other": "{count} av {total} löften kontrolleras löpande och hålls.",
  "practice.tallyBroken.one": "{count} är brutet.",
  "practice.tallyBroken.other": "{count} är brutna.",
  "practice.tallyUnknown.one": "{count} är inte känt just nu.",
  "practice.tallyUnknown.other": "{count} är inte kända just nu.",
  "practice.tallyNone.one": "{count} har ingen löpande kontroll ännu.",
  "practice.tallyNone.other": "{count} har ingen löpande kontroll ännu.",

  "check.gateway.doors": "Öppna ingångar som inte ska finnas: {count}",
  "check.auth.password_parameters": "Lösenord lagrade under vår lägstanivå: {count}",
  "check.auth.longest_idle_session": "Sessioner vid liv efter 30 minuters stillhet: {count}",
  "check.auth.revoked_sessions_validate": "Avslutade sessioner som ändå skulle godtas: {count}",
  "check.auth.links_without_consent": "Kopplingar gjorda utan noterat samtycke: {count}",
  "check.audit.gaps": "Poster som saknas i loggen: {count}",
  "check.audit.checkpoint_age": "Längsta väntan på en signatur, i millisekunder: {count}",
  "check.audit.tree_intact": "Delar av loggen som inte är som när de signerades: {count}",
  "check.audit.retention_sweep": "Minuter sedan loggen senast gallrades: {count}",
  "check.billing.card_numbers_in_store": "Kortnummer i vår egen databas: {count}",
  "check.billing.gateway_tls": "Kryptering av vår förbindelse med betalväxeln, i bitar: {count}",
  "check.files.ciphertext_at_rest": "Lagrade filer som inte är krypterade: {count}",

  "log.title": "Kontrollera själv",
  "log.text":
    "Varje resultat ovan är en post i en logg som bara kan växa och som följer öppna format. Loggens nyckel och dess senaste signerade läge är offentliga och kan kontrolleras med vems verktyg som helst.",
  "log.key": "Loggens publika nyckel",
  "log.checkpoint": "Den senaste signerade kontrollpunkten",

  "promise.P1.title": "Servrar av branschstandard",
  "promise.P1.text": "Tjänsten körs på Amazon EC2-servrar, hos en leverantör vars standard branschen förlitar sig på.",
  "promise.P2.title": "Fysisk säkerhet",
  "promise.P2.text":
    "Att skydda byggnaderna och maskinerna är leverantörens arbete, inte vårt. Vi för deras försäkran vidare och anger källan.",
  "promise.P3.title": "Stängt från början",
  "promise.P3.text":
    "En brandvägg för inkommande trafik nekar allt som inte uttryckligen släpps in. Ingen utom vi har tillgång till gästsystemet.",
  "promise.P4.title": "Daglig säkerhetskopiering",
  "promise.P4.text": "Dina data säkerhetskopieras varje dag, krypterat, och varje kopia prövas genom att återställas.",
  "promise.P5.title": "All åtkomst loggas",
  "promise.P5.text": "Varje åtkomst antecknas för granskning. En åtkomst som inte kan antecknas blir inte av.",
  "promise.P6.title": "Lösenord som ingen kan läsa",
  "promise.P6.text":
    "Lösenord till konton lagras i en form som inte kan göras om till lösenordet, filtreras bort ur alla loggar och syns för ingen.",
  "promise.P7.title": "Utloggad efter 30 minuter",
  "promise.P7.text": "Efter 30 minuter utan aktivitet loggas du ut, i tjänstens alla delar.",
  "promise.P8.title": "Utloggad är utloggad",
  "promise.P8.text": "När du loggar ut kan din session inte längre användas, någonstans, från det ögonblicket.",
  "promise.P9.title": "Hjälp att behålla ditt konto för dig själv",
  "promise.P9.text":
    "Håll ditt användarnamn och ditt lösenord för dig själv. Vi hjälper till: ett andra steg eller en lösennyckel när du vill ha det, ett meddelande när någon loggar in från en ny enhet, en lista över dina sessioner som du kan avsluta, och gissningar som bromsas.",
  "promise.P10.title": "Lösenord till andra tjänster",
  "promise.P10.text":
    "Vi ber om lösenordet till en annan tjänst bara med ditt godkännande. Vi förklarar först vad det ska användas till, använder det bara till det och lagrar det inte.",
  "promise.P11.title": "Inga kortuppgifter sparas",
  "promise.P11.text":
    "Kortuppgifter går direkt till betalväxeln. Vi behåller dess token, kortmärket, de fyra sista siffrorna och utgångsdatumet. Ett kortnummer som skickas till oss avvisas och sparas inte.",
  "promise.P12.title": "En certifierad betalväxel",
  "promise.P12.text": "Betalväxeln använder 256-bitars TLS och är PCI-certifierad.",
  "promise.P13.title": "Dina filer är bara dina",
  "promise.P13.text":
    "Uppladdade filer är inte åtkomliga för någon annan än dig. Varje fil krypteras, med en egen nyckel, innan den lagras.",
  "promise.P14.title": "Hur länge filer sparas",
  "promise.P14.text": "Gallringspolicyn förklarar hur länge filer sparas, och tjänsten följer den efter sin egen klocka.",
  "promise.P15.title": "Villkor i klartext",
  "promise.P15.text":
    "Användarvillkor, integritetspolicy och säkerhetsrutiner, och någonstans att fråga, på ditt eget språk.",
};
