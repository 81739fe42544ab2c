"""The language of a question, by its script and commonest words; and Chinese terms of the field in English. Pure.

A language library is not needed: a question has to be told only from the language of the papers.
"""

from __future__ import annotations

import re

from rag_app.text.sentences import word_set

_TERMS = """
检索增强生成=retrieval-augmented generation|检索增强=retrieval-augmented|检索器=retriever|检索=retrieval|召回率=recall|召回=recall
生成器=generator|生成=generation|准确率=accuracy|精确率=precision|精度=precision|精确匹配=exact match|困惑度=perplexity|幻觉=hallucination
大语言模型=large language model|大型语言模型=large language model|语言模型=language model|模型=model|预训练=pre-training|训练=training
微调=fine-tuning|指令=instruction|提示=prompt|思维链=chain of thought|推理=reasoning|推断=inference|上下文学习=in-context learning
上下文长度=context length|长上下文=long context|上下文=context|窗口=window|注意力=attention|位置编码=position embedding|位置=position
旋转=rotary|编码器=encoder|解码器=decoder|双编码器=dual encoder|交叉编码器=cross-encoder|嵌入=embedding|向量=vector|维度=dimension
稠密=dense|稀疏=sparse|索引=index|段落=passages|文档=documents|文章=article|句子=sentence|词元=tokens|令牌=tokens|词汇表=vocabulary|词表=vocabulary
分块=chunking|块大小=chunk size|重排序=reranking|重排=reranking|重排器=reranker|查询=query|问题=question|回答=answer|答案=answer|问答=question answering
开放域=open-domain|多跳=multi-hop|知识图谱=knowledge graph|知识库=knowledge base|知识=knowledge|长尾=long-tail|罕见=rare|事实=fact|数据集=dataset|语料库=corpus
语料=corpus|基准测试=benchmark|基准=benchmark|测试集=test set|验证集=development set|训练集=training set|样本=examples|标注=annotation|人工=human
评估=evaluation|评价=evaluation|评测=evaluation|指标=metric|分数=score|得分=score|忠实度=faithfulness|忠实性=faithfulness|相关性=relevance|一致性=agreement
相关系数=correlation|损失函数=loss function|损失=loss|对比学习=contrastive learning|对比=contrastive comparison|负样本=negatives|正样本=positives|难负例=hard negatives
批量大小=batch size|批大小=batch size|批次=batch|学习率=learning rate|步数=steps|轮=epochs|参数量=number of parameters|参数=parameters|层=layers|隐藏=hidden|维=dimension
量化=quantization|低秩=low-rank|适配器=adapter|显存=GPU memory|内存=memory|缓存=cache|延迟=latency|速度=speed|吞吐量=throughput|加速=speedup|压缩=compression
蒸馏=distillation|剪枝=pruning|掩码=masking|下一句预测=next sentence prediction|奖励模型=reward model|强化学习=reinforcement learning|人类反馈=human feedback|对齐=alignment
安全=safety|有害=harmful|分类器=classifier|分类=classification|类别=categories|毒性=toxicity|攻击=attack|红队=red teaming|代码=code|编程=programming|程序=program|解释器=interpreter
数学=math|应用题=word problems|算术=arithmetic|常识=commonsense|噪声=noise|无关=irrelevant random|随机=random|干扰=distracting|中间=middle|开头=beginning|末尾=end
翻译=translation|摘要=summarization|机器翻译=machine translation|假设=hypothetical|网页搜索=web search|搜索=search|反思=reflection|纠正=correction corrective|自我=self
主动=active|何时=when|频率=frequency|阈值=threshold|权重=weight|温度=temperature|概率=probability|比例=proportion|百分比=percentage|提升=improvement|提高=improve|降低=reduce
减少=reduce|增加=increase|最大=maximum largest|最小=minimum smallest|最高=highest|最低=lowest|平均=average|大小=size|规模=size|长度=length|数量=number|多少=how many
多大=how large|多长=how long|几个=how many|性能=performance|效果=performance
结果=results|方法=method|实验=experiments|消融=ablation|架构=architecture|框架=framework|算法=algorithm|任务=task|领域=domain|多语言=multilingual|零样本=zero-shot|少样本=few-shot
监督=supervised|无监督=unsupervised|自监督=self-supervised|半监督=semi-supervised|持续学习=continual learning|灾难性遗忘=catastrophic forgetting|混合专家=mixture of experts|专家=experts
合成数据=synthetic data|数据=data|偏见=bias|隐私=privacy|不确定性=uncertainty|置信度=confidence|语义熵=semantic entropy|熵=entropy|语义=semantic|重复=duplicate|去重=deduplication
考试=exam|学科=subjects|标注者=annotators|成本=cost|硬件=hardware|小时=hours|法官=judge|裁判=judge|评判=judge|局限=limitations|贡献=contributions
更新=update|刷新=refresh|冻结=frozen|联合=joint|端到端=end-to-end|维基百科=Wikipedia|实体=entity|文本=text|图像=image|视觉=vision|多模态=multimodal|视频=video|表格=table
样本量=sample size|样本大小=sample size|剂量=dose|置信区间=confidence interval|显著性=significance|显著=significant|对照组=control group|实验组=treatment group
随机对照试验=randomised controlled trial|双盲=double-blind|安慰剂=placebo|假设检验=hypothesis test|变量=variable|回归=regression|方差=variance|标准差=standard deviation
参与者=participants|受试者=participants|患者=patients|病人=patients|疗效=efficacy|副作用=side effects|死亡率=mortality|物种=species|基因=gene|细胞=cells|蛋白质=protein
频次=frequency|压力=pressure|误差=error|测量=measurement|统计=statistics|相关=correlation|因果=causal|价格=price|收入=income|就业=employment|政策=policy|调查=survey|综述=survey
变化=change|改变=change|影响=effect|关系=relation|策略=strategy|类型=type|步骤=steps|系统=system|工具=tool|流程=pipeline|效率=efficiency|优势=advantage|缺点=drawback
特征=features|函数=function|目标=objective|约束=constraint|假说=hypothesis|证据=evidence|来源=source|质量=quality|用户=users|应用=application|场景=scenario|贝叶斯=Bayesian|优化器=optimizer|优化=optimization
神经网络=neural network|网络=network|图神经网络=graph neural network|卷积=convolution|循环=recurrent|扩散=diffusion|采样=sampling|分布=distribution|聚类=clustering|排序=ranking|匹配=matching|相似度=similarity|距离=distance
评分=rating|评审=review|错误率=error rate|错误=error|正确率=accuracy|正确=correct|覆盖率=coverage|稳健性=robustness|鲁棒性=robustness|泛化=generalization|可解释性=interpretability|公平性=fairness|学习=learning|信息=information|不正确=incorrect|可训练=trainable|今天=today
哪些论文=which papers|哪些文章=which papers|哪些研究=which papers|哪些工作=which papers|哪几篇论文=which papers|有没有论文=is there any paper that|有论文=is there any paper that
标注员=annotators labelers|标注人员=annotators labelers|众包=crowdsourcing|招募=recruited|雇佣=hired|雇=hired|志愿者=volunteers|总数=total number|总量=total amount|总共=total
语言=language|输入=input|输出=output|预测=prediction|识别=recognition|检测=detection|序列=sequence|最大长度=maximum length|截断=truncation|过滤=filtering|清洗=cleaning
梯度=gradient|预热=warmup|衰减=decay|正则化=regularization|初始化=initialization|种子=seed|阶段=stage|并行=parallelism|分布式=distributed|混合精度=mixed precision|服务器=server
能耗=energy consumption|碳排放=carbon emissions|排放=emissions|功率=power|基线=baseline|上限=upper bound|人类=human|表现=performance|差距=gap|排名=rank|比率=ratio
模板=template|示例=examples|演示=demonstrations|标签=labels|主题=topic|话题=topic|对话=dialogue|反馈=feedback|偏好=preference|开源=open-source|许可证=license|发布=release|版本=version
年龄=age|性别=sex gender|国家=country|儿童=children|成人=adults|治疗=treatment|干预=intervention|随访=follow-up|症状=symptoms|浓度=concentration|表达=expression|突变=mutation
气候=climate|湿度=humidity|能量=energy|密度=density|企业=firms|家庭=households|工资=wage|税=tax|消费=consumption|需求=demand|供给=supply|弹性=elasticity|市场=market
作者=authors|论文=paper|研究=study|发现=findings|结论=conclusion|限制=limitations|机制=mechanism|模拟=simulation|理论=theory|公式=formula|定义=definition|比较=compare|区别=difference
"""  # noqa: E501

# Words that only ask or join: nothing is searched for them, and nothing is missed without them.
_JOINING = """
为什么 怎么样 怎么 怎样 如何 什么 哪些 哪个 哪篇 哪几 哪里 多久 几次 几 谁 是否 请问 请 吗 呢 吧 啊 的 地 得 了 着 过 是 为 在 于 上 下 中 里 内 时 之间 之后 之前 之 后 前 当 和 与 及 或
以及 对 对于 关于 把 被 将 用 使用 利用 采用 通过 来 去 到 从 由 给 让 使 做 进行 有 没有 不 也 都 还 并 而 但 就 才 只 能 可以 会 要 应 该 这 那 其 它 他 她 我 你 们 每个 每 个 种 次 篇 一 二 两 三 些 等
需要 得到 达到 具有 包括 不同 主要 第一 你好 您好 分别 各自 各 相比 之处
"""  # noqa: E501
JOINING = frozenset(_JOINING.split())

CHINESE = dict(term.split("=") for line in _TERMS.split("\n") for term in line.split("|") if term)

ENGLISH = "en"
NAMES = {
    "en": "English", "zh": "Chinese", "ja": "Japanese", "ko": "Korean", "ru": "Russian", "ar": "Arabic",
    "el": "Greek", "de": "German", "fr": "French", "es": "Spanish", "it": "Italian", "pt": "Portuguese", "nl": "Dutch",
}  # fmt: skip
# Scripts that tell a language, the more telling first: Japanese is known by its kana among Chinese characters.
_SCRIPTS = (
    ("ja", re.compile(r"[\u3040-\u30ff]")),
    ("ko", re.compile(r"[\u1100-\u11ff\uac00-\ud7af]")),
    ("zh", re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")),
    ("ru", re.compile(r"[\u0400-\u04ff]")),
    ("ar", re.compile(r"[\u0600-\u06ff]")),
    ("el", re.compile(r"[\u0370-\u03ff]")),
)
LEAST_SHARE = 0.2  # of the letters, or of words and characters: a Greek letter in a formula makes no Greek question
_COMMON = {
    "en": word_set("the of and is are was were what which how why does do did in on for with to by it that when who"),
    "de": word_set(
        "der die das und ist sind wie was welche welcher welches warum auf mit für von wird werden nicht ein"
    ),
    "fr": word_set(
        "le la les des est sont quel quelle quels quelles comment pourquoi dans avec pour sur du une et que"
    ),
    "es": word_set("el la los las es son qué cuál cuáles cómo cuánto cuántos por para con del una en y de se"),
    "it": word_set("il lo gli che è sono quale quali come quanto quanti perché con per del della una nel di"),
    "pt": word_set("o os as é são qual quais como quanto quantos por para com do da uma no na em que"),
    "nl": word_set("de het een is zijn wat welke hoe waarom met voor van op wordt worden niet en"),
}
_EAST_ASIAN = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
_SEAM = re.compile(rf"(?<=[{_EAST_ASIAN}])(?=[A-Za-z0-9])|(?<=[A-Za-z0-9%@+])(?=[{_EAST_ASIAN}])")
_RUN = re.compile(rf"[{_EAST_ASIAN}]+")
_BETWEEN_NAMES = re.compile(r"(?<=[A-Za-z\d)])\s*(?:以及|和|与|跟|及|或)\s*(?=[A-Za-z])")  # "and"
_LONGEST_TERM = max(map(len, CHINESE))


def language_of(text: str) -> str:
    """The language's ISO 639-1 code; "en" also where nothing tells, since names alone are of no language."""
    letters = len(re.findall(r"[^\W\d_]", text))
    units = len(re.findall(rf"[{_EAST_ASIAN}]|[^\W\d_{_EAST_ASIAN}]+", text))
    for code, script in _SCRIPTS:
        found = len(script.findall(text))
        # An East Asian character says as much as a word in Latin letters.
        if found >= 2 and found >= LEAST_SHARE * (units if code in ("ja", "ko", "zh") else letters):
            return code
    words = re.findall(r"[^\W\d_]+", text.casefold())
    counts = {code: sum(word in common for word in words) for code, common in _COMMON.items()}
    best = max(counts, key=lambda code: (counts[code], code == ENGLISH))
    return best if counts[best] >= 2 and counts[best] > counts[ENGLISH] else ENGLISH


def separate_scripts(text: str) -> str:
    """The text with a blank wherever a Latin word or a number touches an East Asian one, so that names can be seen."""
    return _SEAM.sub(" ", text)


def english_words(question: str) -> str:
    """A Chinese question as English search words: its names and numbers, and the terms that the glossary knows.

    Empty where neither is in it.
    """
    listed = _BETWEEN_NAMES.sub(" and ", question).replace("、", ", ")
    words = _RUN.sub(lambda run: f" {' '.join(_translate_run(run[0]))} ", separate_scripts(listed))
    return " ".join(re.sub(r"[^\w\s.,@%+/()'’-]", " ", words).split())


def find_untranslated(question: str) -> list[str]:
    """What a Chinese question says that the glossary does not know: runs of at least two characters."""
    return [rest for run in _RUN.findall(question) for rest, _ in _divide_run(run) if len(rest) > 1]


def _translate_run(run: str) -> list[str]:
    """The known terms of a run of characters, each once."""
    return list(dict.fromkeys(english for _, english in _divide_run(run) if english))


def _divide_run(run: str) -> list[tuple[str, str]]:
    """A run in parts, the longest known one at each place: (what is unknown, its English), one of the two is empty."""
    parts: list[tuple[str, str]] = []
    unknown, at = "", 0
    while at < len(run):
        tries = (run[at : at + length] for length in range(min(_LONGEST_TERM, len(run) - at), 0, -1))
        known = next((part for part in tries if part in CHINESE or part in JOINING), "")
        if known:
            parts += [(unknown, ""), ("", CHINESE.get(known, ""))]
            unknown = ""
        else:
            unknown += run[at]
        at += len(known) or 1
    return [*parts, (unknown, "")]
