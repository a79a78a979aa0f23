# Checkpoint and store -> adversarial samples, and how well detectors tell them from clean images.

# As for other measurements: where only they are recorded, there is nothing to make.
if not plan.is_recorded:

    # The samples lie in a folder of their own, which keeps those that are current; see measure.smk.
    rule detection:
        input:
            store=lambda wildcards: plan.store_of(wildcards.experiment),
            checkpoint=rules.trained_model.output,
            modules=lambda wildcards: plan.detection_modules(wildcards.experiment),
        output:
            f"{plan.results}/metrics/detection/{{experiment}}/seed{{seed}}.json",
        log:
            f"{plan.results}/logs/metrics/detection/{{experiment}}-seed{{seed}}.log",
        benchmark:
            f"{plan.results}/benchmarks/detection/{{experiment}}-seed{{seed}}.tsv"
        # The longest jobs after the trainings: with the others still to come, no core waits for them.
        priority: 1
        threads: 1
        resources:
            mem_mb=4000,
            gpu=gpus(),
        params:
            slice=lambda wildcards: plan.measurement_slice("detection", **wildcards),
            data=lambda wildcards, input: Path(input.store[0]).parent,
            checkpoint=lambda wildcards, input: Path(input.checkpoint[0]).parent,
            samples=lambda wildcards: (
                f"{plan.results}/adversarial/{wildcards.experiment}/seed{wildcards.seed}"
            ),
        shell:
            "clearfilters detection --parameters {params.slice:q}"
            " --experiment {wildcards.experiment:q} --seed {wildcards.seed} --data {params.data:q}"
            " --checkpoint {params.checkpoint:q} --samples {params.samples:q} --out {output:q}"
            " 2>&1 | tee {log:q}"
