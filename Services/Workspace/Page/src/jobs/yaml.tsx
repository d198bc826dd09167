// The job as the file that the command line would write.
import type { JobProblem } from "../api/generated/contract";
import { save } from "../output/table";
import { copyText } from "../ui/copy";
import { Button, Card, Loading } from "../ui/parts";

export function YAMLView({ yaml, name, open, isFailed }: { yaml?: string; name: string; open: JobProblem[]; isFailed: boolean }) {
  const file = `${name.replace(/[^A-Za-z0-9_-]+/g, "-") || "job"}.yaml`;
  const isWhole = open.length === 0 && yaml !== undefined;
  return (
    <Card title="As YAML" actions={isWhole && <>
      <Button isSmall icon="copy" onClick={() => copyText(yaml)}>Copy</Button>
      <Button isSmall icon="download" onClick={() => save(file, "application/yaml", yaml)}>{file}</Button></>}>
      <div className="stack">
        {open.length > 0 ? <p className="soft">It is there once nothing is missing: {open.map((one) => one.message).join(" ")}</p>
          : isFailed ? <p className="soft">It is there once the job has the right form.</p>
            : isWhole ? <pre className="md-code yaml" tabIndex={0} aria-label="The job as YAML">{yaml}</pre> : <Loading lines={6} />}
        <p className="soft small">Keep it with your code: <code>harbour jobs diff {file}</code> shows what it would
          change, <code>harbour jobs apply {file}</code> does it.</p>
      </div>
    </Card>
  );
}
