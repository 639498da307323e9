// Sends mails with Nodemailer, with the plugin of the recipe: cases in, results out.
// Argument: the file of the recipe.

import { createRequire } from "node:module";
import { text } from "node:stream/consumers";

// NODE_PATH, where Debian's packages are, counts for `require` alone.
const nodemailer = createRequire(import.meta.url)("nodemailer");
const { dropRefusedRecipients } = await import(process.argv[2]);

const log = [];
console.error = (line) => log.push(line);

async function result({ url, token, on_error, seconds, to, cc, bcc }) {
  const options = { url, token, timeout: seconds * 1000 };
  if (on_error) options.onError = on_error;
  const transporter = nodemailer.createTransport({ streamTransport: true, buffer: true, newline: "unix" });
  transporter.use("stream", dropRefusedRecipients(options));
  try {
    const mail = { from: "me@example.com", subject: "x", text: "x", to, cc, bcc };
    const { envelope, message } = await transporter.sendMail(mail);
    const header = (name) => message.toString().match(new RegExp(`^${name}: (.*)$`, "m"));
    const list = (name) => header(name)?.[1].split(", ") ?? [];
    // Nodemailer writes no Bcc.
    return { to: list("To"), cc: list("Cc"), bcc: null, envelope: envelope.to };
  } catch (error) {
    return { error: error.name, refused: error.refused && Object.fromEntries(error.refused) };
  }
}

const results = [];
for (const given of JSON.parse(await text(process.stdin))) {
  log.length = 0;
  results.push({ ...(await result(given)), log: [...log] });
}
console.log(JSON.stringify(results));
