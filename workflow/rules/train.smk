# Processed store -> one checkpoint per experiment and seed.


rule train:
    input:
        plan.checkpoint_files(),


for group in plan.groups:

    rule:
        name:
            f"train_{group}"
        input:
            plan.checkpoint_files(group),


rule trained_model:
    input:
        store=lambda wildcards: plan.store_of(wildcards.experiment),
        performer=lambda wildcards: plan.performer_files(**wildcards),
        modules=lambda wildcards: plan.model_modules("train", wildcards.experiment),
    output:
        expand(
            f"{plan.results}/checkpoints/{{{{experiment}}}}/seed{{{{seed}}}}/{{file}}",
            file=CHECKPOINT_FILES,
        ),
    log:
        f"{plan.results}/logs/train/{{experiment}}-seed{{seed}}.log",
    benchmark:
        f"{plan.results}/benchmarks/train/{{experiment}}-seed{{seed}}.tsv"
    threads: 1
    resources:
        mem_mb=2000,
        gpu=gpus(),
        # Where pretrained weights lie; shapes no result, as in data.smk.
        raw=os.path.expanduser(plan.params.raw.root),
        # Of the features that are recorded besides, where torch is imported anyway.
        features=json.dumps(plan.params.features.model_dump()),
        # What frozen blocks make of images, named by all that shaped it; may be deleted.
        frozen="data/frozen",
    params:
        slice=lambda wildcards: plan.training_slice(wildcards.experiment, wildcards.seed),
        data=lambda wildcards, input: Path(input.store[0]).parent,
        features=lambda wildcards: [
            f"--features={folder}"
            for folder in plan.features_of(wildcards.experiment, wildcards.seed)
        ],
        # What an explainer explains.
        performer=lambda wildcards, input: [
            f"--performer={Path(file).parent}" for file in input.performer[:1]
        ],
        out=lambda wildcards, output: Path(output[0]).parent,
        # Not an output, so a training that was stopped goes on where it stood.
        resume=lambda wildcards: (
            f"{plan.results}/resume/{wildcards.experiment}-seed{wildcards.seed}.pt"
        ),
    shell:
        "clearfilters train --parameters {params.slice:q} --data {params.data:q}"
        " --raw {resources.raw:q} --frozen {resources.frozen:q} --resume {params.resume:q}"
        " {params.performer:q} {params.features:q} --features-parameters {resources.features:q}"
        " --out {params.out:q} 2>&1 | tee {log:q}"
