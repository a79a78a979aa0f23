# Checkpoint, store and measurements -> pages that show a network's filters.


rule galleries:
    input:
        plan.gallery_files(),


# As for measurements: where only they are recorded, there is nothing to look at.
if not plan.is_recorded:

    rule gallery:
        input:
            store=lambda wildcards: plan.store_of(wildcards.experiment),
            checkpoint=lambda wildcards: expand(
                rules.trained_model.output,
                experiment=wildcards.experiment,
                seed=plan.first_seed(wildcards.experiment),
            ),
            metrics=lambda wildcards: plan.shown_metrics(wildcards.experiment),
            modules=lambda wildcards: plan.model_modules("gallery", wildcards.experiment),
        output:
            first=f"{plan.results}/filters/{{experiment}}.html",
            # The same filters in other orders, and their pictures.
            others=directory(f"{plan.results}/filters/{{experiment}}"),
        log:
            f"{plan.results}/logs/filters/{{experiment}}.log",
        benchmark:
            f"{plan.results}/benchmarks/gallery/{{experiment}}.tsv"
        threads: 1
        resources:
            mem_mb=3000,
            gpu=gpus(),
            # As in train.smk.
            frozen="data/frozen",
        params:
            slice=lambda wildcards: plan.gallery_slice(wildcards.experiment),
            seed=lambda wildcards: plan.first_seed(wildcards.experiment),
            data=lambda wildcards, input: Path(input.store[0]).parent,
            checkpoint=lambda wildcards, input: Path(input.checkpoint[0]).parent,
            metrics=f"{plan.results}/metrics",
        shell:
            "clearfilters gallery --parameters {params.slice:q}"
            " --experiment {wildcards.experiment:q} --seed {params.seed} --data {params.data:q}"
            " --checkpoint {params.checkpoint:q} --metrics {params.metrics:q}"
            " --frozen {resources.frozen:q} --out {output.first:q} 2>&1 | tee {log:q}"
