# Checkpoint -> adversarial samples -> detectors.

for experiment in plan.attacked:

    rule:
        name:
            f"adversarial_{experiment}"
        input:
            plan.adversarial_files(experiment),

    rule:
        name:
            f"detection_{experiment}"
        input:
            plan.metric_files("detection", experiment=experiment),


# One file per model and attack: every detector reads it.
rule attacked_images:
    input:
        store=lambda wildcards: plan.store_of(wildcards.experiment),
        checkpoint=rules.trained_model.output,
        modules=lambda wildcards: plan.model_modules("adversarial", wildcards.experiment),
    output:
        samples=f"{plan.results}/adversarial/{{experiment}}/seed{{seed}}/{{attack}}.npz",
        about=f"{plan.results}/adversarial/{{experiment}}/seed{{seed}}/{{attack}}.json",
    log:
        f"{plan.results}/logs/adversarial/{{experiment}}-seed{{seed}}-{{attack}}.log",
    benchmark:
        f"{plan.results}/benchmarks/adversarial/{{experiment}}-seed{{seed}}-{{attack}}.tsv"
    wildcard_constraints:
        attack="|".join(plan.attacks),
    threads: 1
    resources:
        mem_mb=3000,
        gpu=gpus(),
    params:
        slice=lambda wildcards: plan.adversarial_slice(**wildcards),
        data=lambda wildcards, input: Path(input.store[0]).parent,
        checkpoint=lambda wildcards, input: Path(input.checkpoint[0]).parent,
    shell:
        "clearfilters adversarial {wildcards.attack} --parameters {params.slice:q}"
        " --data {params.data:q} --checkpoint {params.checkpoint:q} --out {output.samples:q}"
        " 2>&1 | tee {log:q}"


# As for other measurements: where only they are recorded, there is nothing to make.
if not plan.is_recorded:

    rule detection:
        input:
            samples=lambda wildcards: plan.adversarial_files(**wildcards),
            modules=step_files("measure_samples", MEASUREMENTS["detection"].measure),
        output:
            f"{plan.results}/metrics/detection/{{experiment}}/seed{{seed}}.json",
        log:
            f"{plan.results}/logs/metrics/detection/{{experiment}}-seed{{seed}}.log",
        benchmark:
            f"{plan.results}/benchmarks/detection/{{experiment}}-seed{{seed}}.tsv"
        threads: 1
        resources:
            mem_mb=4000,
        params:
            slice=lambda wildcards: plan.measurement_slice("detection", **wildcards),
            samples=lambda wildcards, input: Path(input.samples[0]).parent,
        shell:
            "clearfilters detection --parameters {params.slice:q}"
            " --experiment {wildcards.experiment:q} --seed {wildcards.seed}"
            " --samples {params.samples:q} --out {output:q} 2>&1 | tee {log:q}"
