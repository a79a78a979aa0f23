# Features -> one JSON per analysis, experiment and seed.


rule metrics:
    input:
        plan.metric_files(DATA, *ANALYSES),


for analysis in ANALYSES:

    rule:
        name:
            f"metrics_{analysis}"
        input:
            plan.metric_files(analysis),


# Where only measurements are recorded, they are what tables are made from, not something to make.
if not plan.is_recorded:

    # The fit of Phi's gate also gives the gates that other analyses read.
    rule phi:
        input:
            features=rules.model_features.output,
            modules=step_files("measure", MEASUREMENTS["phi"]),
        output:
            metric=f"{plan.results}/metrics/phi/{{experiment}}/seed{{seed}}.json",
            gates=f"{plan.results}/gates/{{experiment}}/seed{{seed}}.npz",
        log:
            f"{plan.results}/logs/metrics/phi/{{experiment}}-seed{{seed}}.log",
        threads: 1
        resources:
            mem_mb=1000,
        params:
            slice=lambda wildcards: plan.measurement_slice(
                "phi", wildcards.experiment, wildcards.seed
            ),
            features=lambda wildcards, input: Path(input.features[0]).parent,
        shell:
            "clearfilters measure phi --parameters {params.slice:q} --experiment {wildcards.experiment:q}"
            " --seed {wildcards.seed} --features {params.features:q} --gates-out {output.gates:q}"
            " --out {output.metric:q} 2>&1 | tee {log:q}"

    rule measurement:
        input:
            features=rules.model_features.output,
            gates=lambda wildcards: plan.gate_files(**wildcards),
            modules=lambda wildcards: step_files("measure", MEASUREMENTS[wildcards.analysis]),
        output:
            f"{plan.results}/metrics/{{analysis}}/{{experiment}}/seed{{seed}}.json",
        log:
            f"{plan.results}/logs/metrics/{{analysis}}/{{experiment}}-seed{{seed}}.log",
        wildcard_constraints:
            analysis="|".join(analysis for analysis in FEATURE_ANALYSES if analysis != "phi"),
        threads: 1
        resources:
            mem_mb=1000,
        params:
            slice=lambda wildcards: plan.measurement_slice(**wildcards),
            features=lambda wildcards, input: Path(input.features[0]).parent,
            gates=lambda wildcards, input: [f"--gates={path}" for path in input.gates],
        shell:
            "clearfilters measure {wildcards.analysis} --parameters {params.slice:q}"
            " --experiment {wildcards.experiment:q} --seed {wildcards.seed}"
            " --features {params.features:q} {params.gates:q} --out {output:q} 2>&1 | tee {log:q}"
