// One GGUF file in llama.cpp. `node real.mjs FILE CONTEXT` answers each line of JSON with one line of JSON.
import {createInterface} from "readline";
import {createRequire} from "module";
import {pathToFileURL} from "url";

const require = createRequire(process.cwd() + "/"); // the package lies where the program is started
const {getLlama} = await import(pathToFileURL(require.resolve("node-llama-cpp")));
const [gguf, contextSize] = [process.argv[2], Number(process.argv[3])];
let inside = 0; // milliseconds that llama.cpp itself counts for its new tokens
const logger = (level, message) => (inside = Number(/ eval time = +([\d.]+) ms .*runs/.exec(message)?.[1] ?? inside));
const llama = await getLlama({gpu: false, build: "never", maxThreads: 1, logLevel: "info", logger});
const model = await llama.loadModel({modelPath: gguf});
const context = await model.createContext({contextSize, batchSize: contextSize, threads: 1, performanceTracking: true});
const sequence = context.getSequence();

async function greedy({ids, n, stops}) {
    await sequence.clearHistory();
    const found = [];
    for await (const token of sequence.evaluate(ids, {temperature: 0, yieldEogToken: true})) {
        found.push(token);
        if (found.length === n || stops.includes(token)) break;
    }
    return found;
}

async function logprobs({ids}) {
    await sequence.clearHistory();
    const ask = (next) => ({generateNext: {logits: {filter: {tokens: [next], includeTop: 1}}, totalLogitWeight: true, options: {temperature: 1, topK: 0, topP: 1, minP: 0}}});
    const input = ids.map((token, i) => (i + 1 < ids.length ? [token, ask(ids[i + 1])] : token));
    const found = await sequence.controlledEvaluate(input);
    return ids.slice(1).map((token, i) => {
        const {logits, totalLogitWeight} = found[i].next;
        return logits.get(token) - Math.max(...logits.values()) - Math.log(totalLogitWeight);
    });
}

async function timed(job) {
    await context.printTimings(); // forgets what came before
    const begin = process.cpuUsage();
    await greedy(job);
    const used = process.cpuUsage(begin);
    await context.printTimings();
    return {processor: (used.user + used.system) / 1e6, inside: inside / 1e3};
}

const tasks = {greedy, logprobs, timed, tokenize: ({text}) => model.tokenize(text, true)};
for await (const line of createInterface({input: process.stdin})) {
    const job = JSON.parse(line);
    console.log(JSON.stringify(await tasks[job.task](job)));
}
process.exit(0);
