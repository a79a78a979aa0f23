# Checkpoint -> what one forward pass over every image gives.


rule features:
    input:
        plan.feature_files(),


for group in plan.groups:

    rule:
        name:
            f"features_{group}"
        input:
            plan.feature_files(group),


rule model_features:
    input:
        store=lambda wildcards: plan.store_of(wildcards.experiment),
        checkpoint=rules.trained_model.output,
        modules=lambda wildcards: plan.model_modules("features", wildcards.experiment),
    output:
        expand(
            f"{plan.results}/features/{{{{experiment}}}}/seed{{{{seed}}}}/{{file}}",
            file=FEATURE_FILES,
        ),
    log:
        f"{plan.results}/logs/features/{{experiment}}-seed{{seed}}.log",
    threads: 1
    resources:
        mem_mb=2000,
        gpu=gpus(),
    params:
        slice=lambda wildcards: plan.features_slice(wildcards.experiment, wildcards.seed),
        data=lambda wildcards, input: Path(input.store[0]).parent,
        checkpoint=lambda wildcards, input: Path(input.checkpoint[0]).parent,
        out=lambda wildcards, output: Path(output[0]).parent,
    shell:
        "clearfilters features --data {params.data:q} --checkpoint {params.checkpoint:q}"
        " --parameters {params.slice:q} --out {params.out:q} 2>&1 | tee {log:q}"
