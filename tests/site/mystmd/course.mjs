// Teaches mystmd, the parser of Jupyter Book 2, our directives, so that it reads what stands inside them too.
const boxes = ["objectives", "questions", "keypoints", "speaker-notes", "predict", "answer", "selfcheck"];
const body = { type: "myst", required: true };
const run = (data) => data.body ?? [];
const badge = (name) => ({ name, body: { type: String }, run: (data) => [{ type: "text", value: data.body }] });

export default {
  name: "The course's directives",
  directives: [
    ...boxes.map((name) => ({ name, body, run })),
    { name: "choice", arg: { type: "myst", required: true }, options: { correct: { type: Boolean } }, body, run },
    { name: "drawing", arg: { type: String, required: true }, body: { type: "myst" }, run },
    { name: "broker-chart", arg: { type: String, required: true }, body: { type: "myst" }, run },
    { name: "broker-run", run },
    { name: "broker-table", run },
    { name: "capacity-calculator", run },
    { name: "chaos-faults", run },
    { name: "chaos-table", run },
    { name: "glossary-terms", run },
    { name: "passport", arg: { type: String, required: true }, run },
    { name: "passport-moments", body: { type: "myst" }, run },
    { name: "passport-table", run },
    { name: "scale-chart", arg: { type: String, required: true }, body: { type: "myst" }, run },
    { name: "scale-list", arg: { type: String, required: true }, run },
    { name: "scale-run", run },
    { name: "seed-ledger", run },
    { name: "trigger-report", run },
    { name: "trigger-verdicts", run },
  ],
  roles: ["bdg-primary", "bdg-secondary", "bdg-info", "bdg-warning", "bdg-success", "broker", "scale"].map(badge),
};
