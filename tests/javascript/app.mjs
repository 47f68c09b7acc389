// Twenty lines of Bolt for JavaScript: a message and a command are answered. Says "ready" once it is connected.
import bolt from "@slack/bolt";

const app = new bolt.App({
  token: process.env.SLACK_BOT_TOKEN,
  signingSecret: process.env.SLACK_SIGNING_SECRET,
  appToken: process.env.SLACK_APP_TOKEN,
  socketMode: !process.env.PORT,
  clientOptions: { slackApiUrl: process.env.SLACK_API_URL },
});

app.message("hola", async ({ message, say }) => {
  await say({ text: `eco: ${message.text}`, thread_ts: message.ts });
});

app.command("/beto", async ({ ack, command }) => {
  await ack(`de JavaScript: ${command.text}`);
});

await app.start(process.env.PORT);
console.log("ready");
