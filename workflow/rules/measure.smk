# Checkpoint and store -> what is measured of a model: one JSON per analysis, experiment and seed.


rule metrics:
    input:
        plan.metric_files(DATA, *MEASUREMENTS),


for analysis in MEASUREMENTS:

    rule:
        name:
            f"metrics_{analysis}"
        input:
            plan.metric_files(analysis),


# Where only measurements are recorded, they are what tables are made from, not something to make.
if not plan.is_recorded:

    # Features, and all that is measured of them, in one job. What a job kept of an earlier run lies
    # beside the features; they are no output, which Snakemake would delete before the job runs.
    for name, analyses, experiments in plan.feature_jobs():

        rule:
            name:
                name
            input:
                store=lambda wildcards: plan.store_of(wildcards.experiment),
                checkpoint=rules.trained_model.output,
                modules=lambda wildcards: plan.feature_modules(wildcards.experiment),
            output:
                metrics=expand(
                    f"{plan.results}/metrics/{{analysis}}/{{{{experiment}}}}/seed{{{{seed}}}}.json",
                    analysis=analyses,
                ),
                gates=f"{plan.results}/gates/{{experiment}}/seed{{seed}}.npz",
            log:
                f"{plan.results}/logs/measure/{{experiment}}-seed{{seed}}.log",
            benchmark:
                f"{plan.results}/benchmarks/measure/{{experiment}}-seed{{seed}}.tsv"
            wildcard_constraints:
                experiment="|".join(experiments),
            threads: 1
            resources:
                mem_mb=2000,
                gpu=gpus(),
            params:
                slices=lambda wildcards: plan.feature_slices(**wildcards),
                data=lambda wildcards, input: Path(input.store[0]).parent,
                checkpoint=lambda wildcards, input: Path(input.checkpoint[0]).parent,
                metrics=lambda wildcards: f"{plan.results}/metrics",
                features=lambda wildcards: (
                    f"{plan.results}/features/{wildcards.experiment}/seed{wildcards.seed}"
                ),
            shell:
                "clearfilters measure --parameters {params.slices:q}"
                " --experiment {wildcards.experiment:q} --seed {wildcards.seed} --data {params.data:q}"
                " --checkpoint {params.checkpoint:q} --features {params.features:q}"
                " --metrics {params.metrics:q} --gates {output.gates:q} 2>&1 | tee {log:q}"

    rule network_measurement:
        input:
            store=lambda wildcards: plan.store_of(wildcards.experiment),
            checkpoint=rules.trained_model.output,
            modules=lambda wildcards: plan.network_modules(wildcards.analysis, wildcards.experiment),
        output:
            f"{plan.results}/metrics/{{analysis}}/{{experiment}}/seed{{seed}}.json",
        log:
            f"{plan.results}/logs/metrics/{{analysis}}/{{experiment}}-seed{{seed}}.log",
        benchmark:
            f"{plan.results}/benchmarks/network/{{analysis}}/{{experiment}}-seed{{seed}}.tsv"
        wildcard_constraints:
            analysis="|".join(of_kind("network")),
        threads: 1
        resources:
            mem_mb=3000,
            gpu=gpus(),
            # As in train.smk.
            frozen="data/frozen",
        params:
            slice=lambda wildcards: plan.measurement_slice(**wildcards),
            data=lambda wildcards, input: Path(input.store[0]).parent,
            checkpoint=lambda wildcards, input: Path(input.checkpoint[0]).parent,
        shell:
            "clearfilters measure-network {wildcards.analysis} --parameters {params.slice:q}"
            " --experiment {wildcards.experiment:q} --seed {wildcards.seed}"
            " --data {params.data:q} --checkpoint {params.checkpoint:q}"
            " --frozen {resources.frozen:q} --out {output:q} 2>&1 | tee {log:q}"
