# Checkpoint, images and object masks -> where the filters look.

for experiment in plan.localized:

    rule:
        name:
            f"localization_{experiment}"
        input:
            plan.metric_files("localization", experiment=experiment),


# As for other measurements: where only they are recorded, there is nothing to make.
if not plan.is_recorded:

    rule localization:
        input:
            store=lambda wildcards: plan.store_of(wildcards.experiment),
            checkpoint=rules.trained_model.output,
            modules=lambda wildcards: plan.model_modules("localization", wildcards.experiment),
        output:
            f"{plan.results}/metrics/localization/{{experiment}}/seed{{seed}}.json",
        log:
            f"{plan.results}/logs/metrics/localization/{{experiment}}-seed{{seed}}.log",
        threads: 1
        resources:
            mem_mb=3000,
            gpu=gpus(),
        params:
            slice=lambda wildcards: plan.measurement_slice("localization", **wildcards),
            data=lambda wildcards, input: Path(input.store[0]).parent,
            checkpoint=lambda wildcards, input: Path(input.checkpoint[0]).parent,
        shell:
            "clearfilters localization --parameters {params.slice:q}"
            " --experiment {wildcards.experiment:q} --seed {wildcards.seed}"
            " --data {params.data:q} --checkpoint {params.checkpoint:q} --out {output:q}"
            " 2>&1 | tee {log:q}"
